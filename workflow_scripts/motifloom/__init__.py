"""Transcription-factor binding data to trained sequence models and motifs."""

__version__ = "0.1.0"
