"""The endpoints that cost money, one file each: what differs between them is data, an `Operation`."""
