module example.com/buildx

go 1.24
