module example.com/gosu

go 1.24
