package ceiling

// Group commit, as short as it can be written: whoever waits when a commit begins is part of it.

import "errors"

const maxGroup = 128

// changes are asked for by many and carried out in groups.
type changes chan *change

type change struct {
	id         string
	now        int64
	generation int64
	err        error
	done       chan struct{}
}

// errNoRow: a change that changes nothing costs less, and must not count.
var errNoRow = errors.New("there is no such row")

// update makes one durable change to a row and returns what the row says.
func (asked changes) update(id string, now int64) (generation int64, err error) {
	c := &change{id: id, now: now, done: make(chan struct{})}
	asked <- c
	<-c.done
	return c.generation, c.err
}

// serve commits what is asked for, until the channel is closed.
func (asked changes) serve(commit func([]*change) error) {
	for first := range asked {
		group := asked.behind(first)
		err := commit(group)
		for _, c := range group {
			if err != nil {
				c.err = err
			}
			close(c.done)
		}
	}
}

// behind is the first and all that wait behind it.
func (asked changes) behind(first *change) []*change {
	group := []*change{first}
	for len(group) < maxGroup {
		select {
		case next, open := <-asked:
			if !open {
				return group
			}
			group = append(group, next)
		default:
			return group
		}
	}
	return group
}
