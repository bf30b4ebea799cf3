package authtest

// Ports for servers of the tests' own.

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
)

// FreePort finds a port on loopback that is the caller's until what it hands to cleanup is called: no other caller of any
// test process is given it meanwhile, whether a server listens on it or not. It is below the ports that the system gives
// to outgoing connections.
func FreePort(cleanup func(func())) (port string, err error) {
	for range 100 {
		port := strconv.Itoa(15_000 + rand.IntN(15_000))
		claim, err := net.Listen("unix", "@latchkey-test-port-"+port) // an abstract socket, which ends with the process
		if err != nil {
			continue
		}
		l, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err != nil {
			_ = claim.Close()
			continue
		}
		cleanup(func() { _ = claim.Close() })
		return port, l.Close()
	}
	return "", errors.New("found no free port")
}
