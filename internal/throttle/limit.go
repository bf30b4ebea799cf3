package throttle

// Limits on how often something happens, kept by the generic cell rate algorithm (GCRA, ITU-T I.371) in the database. A
// counter's row holds the theoretical arrival time: when the next event would come if events came evenly, one each
// emission interval. An event is admitted while that time lies no further ahead than the window less one interval: a
// whole quota may come at once, and then one event each interval.
//
// The holder of an IPv6 /48 has 65,536 of the /64 that count as one visitor. So an IPv6 address has three nested counters,
// of its /64, /56 and /48, with growing quotas.

import (
	"context"
	"net/netip"
	"time"

	"latchkey/internal/audit"
	"latchkey/internal/peer"
	"latchkey/internal/store"
)

// Limit is a quota of events in a window, as the RateLimit-Policy header tells it.
type Limit struct {
	Name   string
	Quota  int
	Window time.Duration
}

// The limits, as clients are told of them. Those of addresses are an IPv4 address's or an IPv6 /64's.
var (
	MailLimit    = Limit{"mail", 30, time.Hour}            // mails asked for from one address
	CheckLimit   = Limit{"check", 600, 10 * time.Minute}   // new passwords asked about from one address, one a keystroke
	DetailsLimit = Limit{"details", 600, 10 * time.Minute} // the existing web client's look-ups from one address, one a page
	GrantLimit   = Limit{"grant", 240, 10 * time.Minute}   // authorization codes made of one page session: some are lost on their way
	CodeLimit    = Limit{"code", 120, 10 * time.Minute}    // those that became sessions

	addressLimit = Limit{"address", 100, 10 * time.Minute} // wrong passwords from one address
	linkLimit    = Limit{"link", 100, 10 * time.Minute}    // dead links and wrong tokens from one address
	clientLimit  = Limit{"client", 30, 10 * time.Minute}   // wrong secrets of one client from one address
	deviceLimit  = Limit{"new device", 10, time.Hour}      // devices of one account that one network makes known
	rightLimit   = Limit{"right", 120, 10 * time.Minute}   // right passwords of one account and client network, or of one device
)

// emissionInterval is the time between two events that come evenly.
func (l Limit) emissionInterval() time.Duration { return l.Window / time.Duration(l.Quota) }

// bucket is a counter with the limit that it is held to.
type bucket struct {
	limit Limit
	key   []byte
}

func (b bucket) rate() store.Rate {
	return store.Rate{Key: b.key, EmissionInterval: b.limit.emissionInterval()}
}

func ratesOf(buckets []bucket) []store.Rate {
	rates := make([]store.Rate, len(buckets))
	for i, b := range buckets {
		rates[i] = b.rate()
	}
	return rates
}

func keysOf(buckets []bucket) [][]byte {
	keys := make([][]byte, len(buckets))
	for i, b := range buckets {
		keys[i] = b.key
	}
	return keys
}

// nested are the networks that an IPv6 address is counted by, and how many times the quota each has.
var nested = []struct {
	bits  int
	times int
}{{64, 1}, {56, 3}, {48, 10}}

// addressBuckets are the counters of an address, and of what else they are kept by; none for the zero Addr.
func (t *Throttle) addressBuckets(l Limit, addr netip.Addr, of ...string) []bucket {
	addr = addr.Unmap().WithZone("")
	named := func(l Limit, network string) bucket {
		return bucket{l, t.counterName(l.Name, append([]string{network}, of...)...)}
	}
	if !addr.IsValid() {
		return nil
	}
	if addr.Is4() {
		return []bucket{named(l, addr.String())}
	}
	var all []bucket
	for _, n := range nested {
		wider := Limit{l.Name, l.Quota * n.times, l.Window}
		all = append(all, named(wider, netip.PrefixFrom(addr, n.bits).Masked().String()))
	}
	return all
}

// fullest returns the counter that admits no more for the longest, and for how long; a wait that is not positive says
// that all of them admit one now.
func fullest(buckets []bucket, arrivals map[string]time.Time, now time.Time) (full bucket, wait time.Duration) {
	for i, b := range buckets {
		ahead := max(0, arrivals[string(b.key)].Sub(now)) // how far the theoretical arrival time is ahead
		until := ahead + b.limit.emissionInterval() - b.limit.Window
		if i == 0 || until > wait {
			full, wait = b, until
		}
	}
	return full, wait
}

// take counts an event in all of the counters, or in none where one is full: wait is positive then, and full the one
// that admits no more for the longest.
func take(tx *store.Tx, buckets []bucket, now time.Time) (full bucket, wait time.Duration, err error) {
	taken, err := tx.TakeRates(now.Add(buckets[0].limit.Window), now, ratesOf(buckets)...)
	if err != nil || len(taken) == len(buckets) {
		return bucket{}, 0, err
	}
	arrivals, err := tx.Rates(ratesOf(buckets)...)
	if err != nil {
		return bucket{}, 0, err
	}
	full, wait = fullest(buckets, arrivals, now)
	for _, b := range buckets {
		for _, key := range taken {
			if string(key) == string(b.key) {
				tx.GiveRate(b.rate())
			}
		}
	}
	return full, max(wait, 1), nil
}

// WithinRate counts an event against an address and does fn, in one transaction. When a quota of the address is used
// up it is a Refusal, and nothing was done.
func (t *Throttle) WithinRate(ctx context.Context, l Limit, peer peer.Peer, now time.Time, fn func(*store.Tx) error) error {
	buckets := t.addressBuckets(l, peer.Addr)
	if !t.o.On || buckets == nil {
		return t.o.Store.Write(ctx, fn)
	}
	if err := t.precheck(keysOf(buckets)...); err != nil {
		return err
	}
	var full bucket
	var wait time.Duration
	err := t.o.Store.Write(ctx, func(tx *store.Tx) (err error) {
		if full, wait, err = take(tx, buckets, now); err != nil || wait > 0 {
			return err
		}
		return fn(tx)
	})
	if err != nil || wait <= 0 {
		return err
	}
	return t.rejectAndRemember(ctx, full.deny("", wait, peer, now), full.key, now)
}

// WithinCodes counts an authorization code of a page session against GrantLimit or CodeLimit, and does fn, in one
// transaction. Beyond the quota it is a Refusal, and nothing was done but that it is audited.
func (t *Throttle) WithinCodes(ctx context.Context, l Limit, userID, pageSession string, peer peer.Peer, now time.Time, fn func(*store.Tx) error) error {
	if !t.o.On {
		return t.o.Store.Write(ctx, fn)
	}
	return t.within(ctx, bucket{l, t.counterName(l.Name, pageSession)}, userID, peer, now, fn)
}

// within counts an event against one counter, never from memory, and does fn, in one transaction.
func (t *Throttle) within(ctx context.Context, b bucket, userID string, peer peer.Peer, now time.Time, fn func(*store.Tx) error) error {
	var wait time.Duration
	err := t.o.Store.Write(ctx, func(tx *store.Tx) (err error) {
		if _, wait, err = take(tx, []bucket{b}, now); err != nil {
			return err
		}
		if wait > 0 {
			tx.CountAudit(audit.Throttled(b.key, userID, peer, now))
			return nil
		}
		return fn(tx)
	})
	if err != nil || wait <= 0 {
		return err
	}
	return refusal(b.limit, wait)
}

// Count is WithinRate of an event that changes nothing else.
func (t *Throttle) Count(ctx context.Context, l Limit, peer peer.Peer, now time.Time) error {
	return t.WithinRate(ctx, l, peer, now, func(*store.Tx) error { return nil })
}

// CountDeadLink counts a mailed token that was wrong against the address alone: tokens are too long to be guessed, and
// nobody's account may be closed by trying. Sign-in never reads what is counted here: a page elsewhere can make its
// visitors' browsers open dead links.
func (t *Throttle) CountDeadLink(ctx context.Context, peer peer.Peer) error {
	return t.Count(ctx, linkLimit, peer, t.o.Now())
}

func (b bucket) deny(userID string, wait time.Duration, peer peer.Peer, now time.Time) denial {
	return denial{limit: b.limit, until: now.Add(wait), event: audit.Throttled(b.key, userID, peer, now)}
}
