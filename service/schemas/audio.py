"""The bodies of /v1/audio/*. Sources: openai/types/audio/*_create_params.py (openai 3.54)."""

from typing import Any

from service.schemas.chat import VOICES, AudioVoice, model_field
from service.schemas.faults import fault
from service.schemas.fields import AnyObject, Boolean, ListOf, Number, Object, OneOf, String
from service.schemas.form import File
from service.schemas.shape import Shape

MAX_SPEECH_CHARACTERS = 4_096
MAX_KEYWORDS = 1_024
MAX_SPEAKERS = 4
TEXT_FORMATS = ("text", "srt", "vtt")


def _language(about: str) -> String:
    return String(about, min=1, max=32)


class _RecordingSchema(Shape):
    file = File("The recording: flac, mp3, mp4, mpeg, mpga, m4a, ogg, wav or webm.", required=True)
    model = model_field(required=True)
    prompt = String("A text that guides the style.")
    temperature = Number("Sampling temperature.", min=0, max=1)


class TranscriptionSchema(_RecordingSchema):
    response_format = String(
        "The format of the answer.",
        choices=["json", "verbose_json", "diarized_json", *TEXT_FORMATS],
    )
    stream = Boolean("Send the transcript as server-sent events.")
    language = _language("The recording's language.")
    languages = ListOf("Languages it may be in.", _language("One."), max=128)
    keywords = ListOf("Words to expect.", String("One.", max=256), max=MAX_KEYWORDS)
    include = ListOf("What else to return.", String("One.", choices=["logprobs"]), max=8)
    timestamp_granularities = ListOf(
        "What gets a time in verbose_json.", String("One.", choices=["word", "segment"]), max=2, unique=True
    )
    chunking_strategy = OneOf(
        "How the recording is cut.",
        String("The server's own way.", choices=["auto"]),
        AnyObject("Voice activity detection, as `chunking_strategy[type]` and so on."),
    )
    known_speaker_names = ListOf("Who may speak.", String("A name.", max=256), max=MAX_SPEAKERS)
    known_speaker_references = ListOf(
        "How they sound, 2 to 10 seconds each, as data URLs.", String("A data URL."), max=MAX_SPEAKERS
    )


class TranslationSchema(_RecordingSchema):
    response_format = String("The format of the answer.", choices=["json", "verbose_json", *TEXT_FORMATS])


class SpeechSchema(Shape):
    model = model_field(required=True)
    input = String("The text to speak.", min=1, max=MAX_SPEECH_CHARACTERS, required=True)
    voice = OneOf(
        f"{VOICES}.", String("Its name.", min=1, max=256), Object("One by id.", AudioVoice()), required=True
    )
    instructions = String("How to speak; not for tts-1 and tts-1-hd.", max=MAX_SPEECH_CHARACTERS)
    response_format = String(
        "What the audio is encoded as.", choices=["mp3", "opus", "aac", "flac", "wav", "pcm"]
    )
    speed = Number("How fast.", min=0.25, max=4)
    stream_format = String("Plain audio, or server-sent events.", choices=["audio", "sse"])

    def check_together(self, data: dict[str, Any]) -> None:
        if data.get("stream") is True:
            raise fault("unsupported_value", "ask for a stream with stream_format", at="stream")


TRANSCRIPTION = TranscriptionSchema()
TRANSLATION = TranslationSchema()
SPEECH = SpeechSchema()
