// Package load sends requests over kept-alive connections and times them: as fast as answers come
// (closed loop) or at a given rate, timed from when each was due (open loop).
//
// It shares the machine with what it measures, so it must be light: one goroutine and one connection a
// caller, one write a request, no second goroutine that an answer has to be handed to. That is about
// half the cost of net/http's client.
package load

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"time"
)

// answerLimit is how long one answer may take. What takes longer is an error.
const answerLimit = 15 * time.Second

// Request is what an operation sends. Empty parts are left out.
type Request struct {
	Method, Path string
	Bearer       string
	Device       string // X-Latchkey-Device
	Cookie       string
	Body         string // JSON
	Form         string // instead of Body
}

// Answer is what came back. Body is good until the connection's next request.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Conn is one caller's connection to the server under load. It dials when it must.
type Conn struct {
	addr string
	from net.IP
	conn net.Conn
	used time.Time // when conn was dialled, or its last answer came
	in   *bufio.Reader
	out  []byte
	body []byte
}

// NewConn returns a connection that is dialled by its first request. It comes from the given address of
// this machine's, or from any if that is nil.
func NewConn(addr string, from net.IP) *Conn {
	return &Conn{addr: addr, from: from, in: bufio.NewReaderSize(nil, 8<<10), out: make([]byte, 0, 4<<10), body: make([]byte, 8<<10)}
}

// userAgent is what a browser sends: sign-in parses and stores it.
const userAgent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"

// staleAfter is when a server may have closed an idle connection: a request that finds it closed is sent
// once more on a new one, as every HTTP client does.
const staleAfter = 2 * time.Second

// Do sends one request and reads its answer.
func (c *Conn) Do(r Request) (Answer, error) {
	stale := c.conn != nil && time.Since(c.used) > staleAfter
	a, err := c.try(r)
	if stale && (errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)) {
		a, err = c.try(r)
	}
	return a, err
}

func (c *Conn) try(r Request) (Answer, error) {
	if c.conn == nil {
		if err := c.dial(); err != nil {
			return Answer{}, err
		}
	}
	a, err := c.exchange(r)
	if err != nil {
		c.Close()
	}
	c.used = time.Now()
	return a, err
}

func (c *Conn) dial() error {
	ctx, cancel := context.WithTimeout(context.Background(), answerLimit)
	defer cancel()
	var dialer net.Dialer
	if c.from != nil {
		dialer.LocalAddr = &net.TCPAddr{IP: c.from}
	}
	conn, err := dialer.DialContext(ctx, "tcp", c.addr)
	if err != nil {
		return err
	}
	c.conn, c.used = conn, time.Now()
	c.in.Reset(conn)
	return nil
}

// Close gives the connection up; the next request dials again.
func (c *Conn) Close() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}

func (c *Conn) exchange(r Request) (Answer, error) {
	if err := c.conn.SetDeadline(time.Now().Add(answerLimit)); err != nil {
		return Answer{}, err
	}
	c.out = r.append(c.out[:0], c.addr)
	if _, err := c.conn.Write(c.out); err != nil {
		return Answer{}, fmt.Errorf("send request: %w", err)
	}
	res, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return Answer{}, fmt.Errorf("read answer: %w", err)
	}
	n, err := c.readBody(res.Body)
	if err != nil {
		return Answer{}, fmt.Errorf("read body: %w", err)
	}
	if res.Close {
		c.Close()
	}
	return Answer{Status: res.StatusCode, Header: res.Header, Body: c.body[:n]}, nil
}

func (r Request) append(b []byte, host string) []byte {
	b = append(b, r.Method+" "+r.Path+" HTTP/1.1\r\nHost: "+host+"\r\nUser-Agent: "+userAgent+"\r\nAccept: application/json\r\n"...)
	if r.Bearer != "" {
		b = append(b, "Authorization: Bearer "+r.Bearer+"\r\n"...)
	}
	if r.Device != "" {
		b = append(b, "X-Latchkey-Device: "+r.Device+"\r\n"...)
	}
	if r.Cookie != "" {
		b = append(b, "Cookie: "+r.Cookie+"\r\n"...)
	}
	body := r.Body
	switch {
	case r.Form != "":
		body = r.Form
		b = append(b, "Content-Type: application/x-www-form-urlencoded\r\n"...)
	case body != "":
		b = append(b, "Content-Type: application/json\r\n"...)
	}
	if r.Method != http.MethodGet {
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, int64(len(body)), 10)
		b = append(b, "\r\n"...)
	}
	b = append(b, "\r\n"...)
	return append(b, body...)
}

// readBody fills c.body and grows it when an answer is longer than any before.
func (c *Conn) readBody(body io.Reader) (n int, err error) {
	for {
		m, err := io.ReadFull(body, c.body[n:])
		n += m
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF) && n < len(c.body):
			return n, nil
		case err != nil:
			return n, err
		}
		c.body = append(c.body, make([]byte, len(c.body))...)
	}
}
