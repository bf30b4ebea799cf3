package stage

// WebDriver BiDi: commands and their answers over one WebSocket.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/net/websocket"
)

type bidi struct {
	conn *websocket.Conn
	over chan struct{} // closed when nothing more comes

	mu      sync.Mutex
	sent    int
	waiting map[int]chan<- bidiAnswer // by the command's id
}

type bidiAnswer struct {
	ID             int
	Result         json.RawMessage
	Error, Message string
}

// object is a JSON object on its way to a driver.
type object = map[string]any

// dialBidi begins the one session of a browser which takes commands from that origin.
func dialBidi(ctx context.Context, address, origin string) (*bidi, error) {
	config, err := websocket.NewConfig(address, origin)
	if err != nil {
		return nil, err
	}
	conn, err := config.DialContext(ctx)
	if err != nil {
		return nil, err
	}
	b := &bidi{conn: conn, over: make(chan struct{}), waiting: map[int]chan<- bidiAnswer{}}
	go b.hear()
	if err := b.call(ctx, "session.new", object{"capabilities": object{}}, nil); err != nil {
		return nil, errors.Join(err, b.end())
	}
	return b, nil
}

// end hangs up, and waits until nothing more is heard.
func (b *bidi) end() error {
	err := b.conn.Close()
	<-b.over
	return err
}

func (b *bidi) hear() {
	defer close(b.over)
	for {
		var answer bidiAnswer
		if err := websocket.JSON.Receive(b.conn, &answer); err != nil {
			return // one of both has hung up
		}
		b.mu.Lock()
		if asker := b.waiting[answer.ID]; asker != nil {
			asker <- answer
		}
		b.mu.Unlock()
	}
}

// call sends a command and reads what it results in; a nil result is not read.
func (b *bidi) call(ctx context.Context, method string, params object, result any) error {
	came := make(chan bidiAnswer, 1)
	b.mu.Lock()
	b.sent++
	id := b.sent
	b.waiting[id] = came
	err := websocket.JSON.Send(b.conn, object{"id": id, "method": method, "params": params})
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.waiting, id)
	}()
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	select {
	case answer := <-came:
		if answer.Error != "" {
			return fmt.Errorf("%s: %s: %s", method, answer.Error, answer.Message)
		}
		if result == nil {
			return nil
		}
		return json.Unmarshal(answer.Result, result)
	case <-b.over:
		return fmt.Errorf("%s: the browser has hung up", method)
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", method, ctx.Err())
	}
}
