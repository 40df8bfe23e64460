"""Multipart bodies: spooled to disk, read as fields, measured, and sent on as they came.

A body never lies in memory as a whole: `spool` writes it down while `multipart` reads its parts, and
`audio` has the true length of a recording found out by a child process (`audio_length`).
"""
