"""Presidio's analyzer behind the REST interface that its own image has: `presidio_service.py PORT [MODEL]`.

Without a spaCy model people are known by a list, which Presidio's own recognizer for lists looks up.
"""

import sys
import tempfile

import spacy
from flask import Flask, jsonify, request
from presidio_analyzer import AnalyzerEngine, BatchAnalyzerEngine, PatternRecognizer
from presidio_analyzer.nlp_engine import NlpEngineProvider

LISTED = ["Ana Müller", "John Smith"]


def engine_of(model: str | None) -> AnalyzerEngine:
    if model is None:
        directory = tempfile.mkdtemp()
        spacy.blank("en").to_disk(directory)
    provider = NlpEngineProvider(
        nlp_configuration={
            "nlp_engine_name": "spacy",
            "models": [{"lang_code": "en", "model_name": model or directory}],
        }
    )
    engine = AnalyzerEngine(nlp_engine=provider.create_engine(), supported_languages=["en"])
    if model is None:
        engine.registry.add_recognizer(PatternRecognizer(supported_entity="PERSON", deny_list=LISTED))
    return engine


def application(engine: AnalyzerEngine) -> Flask:
    app = Flask("presidio")
    batches = BatchAnalyzerEngine(engine)

    @app.get("/health")
    def health():
        return "up"

    @app.get("/supportedentities")
    def supported_entities():
        return jsonify(engine.get_supported_entities(request.args.get("language")))

    @app.post("/analyze")
    def analyze():
        asked = request.get_json()
        texts = asked["text"] if isinstance(asked["text"], list) else [asked["text"]]
        results = [
            [
                {"entity_type": found.entity_type, "start": found.start, "end": found.end, "score": found.score}
                for found in each
            ]
            for each in batches.analyze_iterator(
                texts=texts,
                language=asked["language"],
                entities=asked.get("entities"),
                score_threshold=asked.get("score_threshold"),
                batch_size=len(texts),
            )
        ]
        return jsonify(results if isinstance(asked["text"], list) else results[0])

    return app


if __name__ == "__main__":
    application(engine_of(sys.argv[2] if len(sys.argv) > 2 else None)).run("127.0.0.1", int(sys.argv[1]), threaded=True)
