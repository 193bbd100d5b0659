// Runs a program as another user.
package main

import (
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == "--version" {
		os.Stdout.WriteString("gosu of the tests\n")
		return
	}
	found, err := user.Lookup(os.Args[1])
	fail(err)
	uid, err := strconv.Atoi(found.Uid)
	fail(err)
	gid, err := strconv.Atoi(found.Gid)
	fail(err)
	fail(syscall.Setgroups([]int{gid}))
	fail(syscall.Setgid(gid))
	fail(syscall.Setuid(uid))
	path, err := exec.LookPath(os.Args[2])
	fail(err)
	fail(syscall.Exec(path, os.Args[2:], os.Environ()))
}

func fail(err error) {
	if err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
}
