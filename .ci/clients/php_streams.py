"""PHP's streams of ftp:// and ftps://, which file_get_contents, copy and the like go through."""

from everyday import PROGRAMS, Everyday
from harness import Client
from openssl import settings

php_streams = Client("php-streams", "php")

CANNOT = {
    "": {
        "implicit": "PHP's streams have explicit TLS only",
        "require": "PHP's streams do not resume the TLS session for data",
    },
    "active": "PHP's streams have no active mode",
    "put resumed": "PHP's streams do not resume uploads",
    "get, put, many": "each file has a connection of its own",
    "thirty transfers in a row": "each file has a connection of its own",
    "where": "PHP's streams have no working directory",
}

NO_QUOTING = "PHP ends a path at these, and sends %23 as it is"

everyday = Everyday(
    php_streams,
    ["php", PROGRAMS / "streams.php"],
    cannot=CANNOT,
    codes=False,
    left_out={"question?.txt": NO_QUOTING, "hash#.txt": NO_QUOTING},
    environment=settings,
)
