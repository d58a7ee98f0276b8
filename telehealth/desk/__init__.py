"""The reception of a hospital or a commune station: find or register, book, check in, print."""
