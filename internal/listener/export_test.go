package listener

// What the tests of the protocol, which have the server's handler, share with those of this package.

var (
	Serving          = serving
	WriteCertificate = writeCertificate
	MustCertificate  = mustCertificate
)
