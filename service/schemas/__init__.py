"""Every body that comes in: read strictly (`json_body`), checked without coercion (`check`), sent as it came.

`fields` has the types, `shape` the walk over a body, `faults` what can be wrong with a value; the other files
declare what each endpoint takes. No I/O here but the time zone data.
"""
