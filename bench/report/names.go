package report

// What quantities and cases are called, where a goal or a remark asks for them.
const (
	ThrottleOff = "throttle off"
	ThrottleOn  = "throttle on"
	ShortQueue  = "throttle off, queue of 16"

	FloodBefore = "memory before"
	FloodMemory = "most memory"
	FloodServed = "refreshes served of 80 a second"
	FloodShed   = "guess shed"

	WhileSweeping = "while old sessions are forgotten"
	NotSweeping   = "with nothing to forget"

	LongPast  = "beside a user with a long past"
	NoPast    = "beside a user with none"
	PastRatio = "p99 of refreshes beside a user with a long past, of that without"

	GrowthAtRest = "of the database at rest, by 10,000 refreshes"
	GrowthTable  = "of it, sessions with their indexes"
	GrowthLog    = "log beside it after them, while running"
	GrowthHOT    = "updates that touched no index"
	GrowthWAL    = "written to the log, a refresh"
	LogAfterLoad = "log on the disk after the load of the rounds"

	StartWithData = "on a database with data"
	StartEmpty    = "on an empty database"
	StartCPU      = "CPU time of it, on a database with data"
	OfItHeap      = ": of it heap in use"
	DatabaseToo   = ": PostgreSQL beside it"

	SessionSize  = "bytes a session, with its indexes"
	IDsSize      = "of a session: its two ids, once"
	AgentSize    = "of a session: its User-Agent"
	UserSize     = "bytes a user, with its indexes"
	DatabaseSize = "database"
)
