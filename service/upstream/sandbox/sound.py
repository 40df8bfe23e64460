"""Sound: silence in any format, and how long a recording is."""

import io
import struct
from fractions import Fraction
from functools import lru_cache

import av

RATE = 24_000
# An MPEG-2 layer III frame of silence: 24 kHz, one channel, 32 kbit/s, 576 samples.
_MP3_FRAME = bytes.fromhex("fff344c0") + bytes(92)
_MP3_FRAME_SECONDS = Fraction(576, RATE)
# Streamed: the sizes are not known yet.
_WAV_HEAD = b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0" + struct.pack("<HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16)
_WAV_HEAD += b"data\xff\xff\xff\xff"
_ENCODED = {"opus": ("ogg", "libopus", 48_000), "aac": ("adts", "aac", RATE), "flac": ("flac", "flac", RATE)}


def recording_seconds(content: bytes) -> Fraction:
    """The length of a recording, decoded, whatever its header says. Raises av.FFmpegError or ValueError."""
    seconds = Fraction(0)
    with av.open(io.BytesIO(content), "r", options={"ignore_length": "1"}) as container:
        if not container.streams.audio:
            raise ValueError("no audio")
        for frame in container.decode(container.streams.audio[0]):
            seconds += Fraction(frame.samples, frame.sample_rate)
    return seconds


@lru_cache(maxsize=64)
def silence(seconds: int, audio_format: str) -> bytes:
    """So many seconds of nothing; of mp3 to the next whole frame."""
    if audio_format == "mp3":
        return _MP3_FRAME * -(-seconds // _MP3_FRAME_SECONDS)
    samples = bytes(2 * RATE * seconds)
    if audio_format == "pcm":
        return samples
    if audio_format == "wav":
        return _WAV_HEAD + samples
    return _encoded(seconds, *_ENCODED[audio_format])


def _encoded(seconds: int, container: str, codec: str, rate: int) -> bytes:
    out = io.BytesIO()
    with av.open(out, "w", format=container) as file:
        stream = file.add_stream(codec, rate=rate, layout="mono")
        assert isinstance(stream, av.AudioStream)
        for second in range(seconds):
            frame = av.AudioFrame(format="s16", layout="mono", samples=rate)
            frame.planes[0].update(bytes(2 * rate))
            frame.sample_rate, frame.pts = rate, second * rate
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return out.getvalue()
