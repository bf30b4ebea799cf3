package main

// Why a session ended, in words for an operator.

import (
	"cmp"
	"fmt"
	"time"

	"latchkey/internal/auth"
)

// reasonWords goes on after "This session ended at …: ".
var reasonWords = map[string]string{
	auth.ReasonSignedOut:          "its user signed out, or signed in anew on the hosted pages of the same browser.",
	auth.ReasonRevoked:            "its user ended it from another session, or by the link in a notice.",
	auth.ReasonPasswordChanged:    "its user changed the password, from another session or without one.",
	auth.ReasonPasswordReset:      "the password was reset.",
	auth.ReasonReuse:              "a refresh token that had already been used came back, which happens when a copy was stolen; the user was told by mail.",
	auth.ReasonExpiredIdle:        "it was not used for as long as the inactivity limit allows.",
	auth.ReasonExpiredOverall:     "the overall limit since sign-in was reached.",
	auth.ReasonEvicted:            "its user has more sessions than the limit allows, and this was the least recently used.",
	auth.ReasonSignedOutElsewhere: "its user signed out of the browser that this app was signed in from, or another user signed in there.",
	auth.ReasonCodeReused:         "its authorization code was shown again later than an honest client does; somebody may have a copy.",
	auth.ReasonConsentRevoked:     "its user no longer allows this app to use the account.",
	auth.ReasonDisabled:           "the account was disabled.",
	auth.ReasonDeleted:            "the account was deleted.",
	auth.ReasonAdmin:              "an operator ended it, or gave the account another address.",
}

// explanation is one sentence or two.
func explanation(e auth.Explanation) string {
	if e.Alive {
		return fmt.Sprintf("This session is alive until %s unless it is refreshed or ended.", e.Session.ExpiresAt.Format(time.RFC3339))
	}
	return fmt.Sprintf("This session ended at %s: %s", e.Session.EndedAt.Format(time.RFC3339), cmp.Or(reasonWords[e.Reason], e.Reason))
}
