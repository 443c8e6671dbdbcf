"""Does not mask its frames."""

import sys

from wire import TEXT, Wire

wire = Wire(sys.argv[1])
wire.send(TEXT, b'{"method": "ping"}', masked=False)
wire.text()
wire.close()
