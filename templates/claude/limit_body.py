# Bytes of a whole body. The longest answer, 128,000 tokens with an event of some 130 bytes each, has half of that.
LARGEST = 32 * 1024 * 1024


def limit_body(response: httpx2.Response, limited: "LimitedBody") -> None:
    """Reads a body as it is, and no more of it than LARGEST.

    We ask for no compression: a few kilobytes could unpack to any size. A codec that comes all the same, as an encoding or
    as a character set, is not applied.
    """
    response.headers.pop("content-encoding", None)
    response.encoding = "utf-8"
    response.stream = limited


