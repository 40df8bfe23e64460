"""What audio counts, where a model is priced by tokens.

- Heard: 1 token for each 100 ms, https://developers.openai.com/api/docs/guides/realtime-costs (read
  2026-11-22), the only place where OpenAI says. The window of gpt-4o-transcribe (16,000 tokens) and its
  longest recording (1,500 s) agree with it. Held at twice that.
- Written: at most 2,000 tokens for a recording in one piece (the models' output maximum). In chunks there is
  such a maximum for each; a chunk is 30 s, the longest that diarization takes unchunked.
- Spoken: gpt-4o-mini-tts is listed at $0.015 a minute and $12 a million tokens: 20.8 tokens a second, taken
  as 25. No source says how long it may speak: half a second for each byte of UTF-8 is six times as slow as
  people read aloud, and a letter may be a word ("7").
"""

HEARD_TOKENS_PER_SECOND = 10
MOST_HEARD_TOKENS_PER_SECOND = 20
MOST_WRITTEN_TOKENS = 2_000
CHUNK_SECONDS = 30
MOST_REFERENCE_SECONDS = 10

SPOKEN_TOKENS_PER_SECOND = 25
MOST_SPOKEN_TOKENS_PER_BYTE = 13
LEAST_SPOKEN_TOKENS = 250
PCM_BYTES_PER_SECOND = 48_000  # 24 kHz, 16 bit, one channel


def seconds_billed(audio_ms: int) -> int:
    """Seconds as they are billed: whole, each that has begun."""
    return -(-audio_ms // 1000)
