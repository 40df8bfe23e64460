"""How long a recording really is: `python audio_length.py < file` prints milliseconds, rounded up.

Headers lie, so the audio is decoded, by FFmpeg's libraries (PyAV), in a process of its own: whatever a
hostile file does to a decoder stays in here, as does the memory. Exit code 1: there is no audio in it.
"""

import resource
import sys
from contextlib import suppress
from fractions import Fraction

import av

MEMORY_BYTES = 2 * 1024**3
CPU_SECONDS = 60
OPTIONS = {
    # Lengths and edits that a container only claims are not to be believed.
    "ignore_length": "1",
    "ignore_editlist": "1",
    # The formats that OpenAI takes. A playlist, say, would make FFmpeg open what it names.
    "format_whitelist": "aac,flac,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mp3,mpeg,ogg,w64,wav",
    "protocol_whitelist": "file",
}


def audio_length(path: str) -> Fraction:
    """Seconds of the longest audio stream, counted in decoded samples. Raises av.FFmpegError, ValueError."""
    seconds: dict[int, Fraction] = {}
    with av.open(path, options=OPTIONS) as container:
        streams = container.streams.audio
        if not streams:
            raise ValueError("no audio")
        for packet in container.demux(streams):
            # A damaged packet is skipped, as players do; what it held counts for nothing.
            with suppress(av.error.InvalidDataError):
                for frame in packet.decode():
                    length = Fraction(frame.samples, frame.sample_rate)
                    index = packet.stream.index
                    seconds[index] = seconds.get(index, Fraction(0)) + length
    if not seconds:
        raise ValueError("nothing can be decoded")
    return max(seconds.values())


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(ValueError, OSError):  # not everywhere
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


def main() -> int:
    _limit()
    try:
        seconds = audio_length("/dev/stdin")
    except (av.FFmpegError, ValueError, OverflowError, MemoryError, ZeroDivisionError):
        return 1
    sys.stdout.write(str(-(-seconds * 1000 // 1)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
