"""Bodies of imports: uploads in pieces, what a file would come to, and what became of it."""

from rest_framework import serializers as s

from labeling.api import work_shapes
from labeling.models.imports import Import as ImportRow

PII = ["", "mark", "mask", "refuse"]


class Cleaning(s.Serializer):
    near_duplicates = s.BooleanField(required=False, help_text="leave out prompts nearly like one that is there")
    languages = s.ListField(child=s.CharField(), required=False, help_text="ISO 639-1; empty takes all")
    least_characters = s.IntegerField(required=False, help_text="of what the person asks; 0: no limit")
    most_characters = s.IntegerField(required=False, help_text="of what the person asks; 0: no limit")
    quality = s.BooleanField(required=False, help_text="leave out what is hardly text: repeated or without words")
    pii = s.ChoiceField(PII, required=False, help_text="emails, phones, cards, keys; empty: not looked for")
    toxicity = s.BooleanField(required=False, help_text="leave out what has a word of the project's list")


class ImportOptions(s.Serializer):
    format = s.CharField(required=False, help_text="empty: told from the content")
    mapping = s.DictField(child=s.CharField(), required=False, help_text="the file's field: the format's field")
    open_demonstrations = s.BooleanField(required=False)
    open_rankings = s.BooleanField(required=False)
    evaluation_set = s.CharField(required=False, help_text="the prompts become this set's: no work, no training")
    cleaning = Cleaning(required=False)


class Refused(s.Serializer):
    file = s.CharField()
    line = s.IntegerField()
    record = s.IntegerField()
    reason = s.CharField()


class ImportReport(s.Serializer):
    format = s.CharField()
    stored = s.IntegerField()
    duplicates = s.IntegerField()
    refused = s.IntegerField()
    records = s.IntegerField()
    prompts = s.IntegerField()
    demonstrations = s.IntegerField()
    rankings = s.IntegerField()
    judgments = s.IntegerField()
    responses = s.IntegerField()
    documents = s.IntegerField()
    tasks = s.IntegerField()
    cleaned = s.DictField(child=s.IntegerField())
    reasons = s.DictField(child=s.IntegerField(), help_text="how many records were refused for each reason")
    refusals = Refused(many=True, help_text="the first thousand")


class NewImport(s.Serializer):
    name = s.CharField(help_text="the file's name")
    bytes = s.IntegerField()


class Import(s.Serializer):
    id = s.UUIDField()
    name = s.CharField()
    state = s.ChoiceField(ImportRow.State.values)
    bytes = s.IntegerField()
    received = s.IntegerField(help_text="the next piece begins here")
    share = s.FloatField(help_text="of the file that is dealt with, from 0 to 1")
    records = s.IntegerField()
    options = s.JSONField()
    report = ImportReport(allow_null=True)
    error = s.CharField()
    created_by = s.CharField(allow_null=True)
    created_at = s.DateTimeField()
    finished_at = s.DateTimeField(allow_null=True)


class PreviewItem(s.Serializer):
    kind = s.ChoiceField(["prompt", "demonstration", "ranking", "judgment", "responses", "document"])
    messages = work_shapes.Message(many=True, required=False)
    reply = work_shapes.Message(many=True, required=False)
    responses = s.ListField(child=s.DictField(child=s.CharField()), required=False)
    orders = s.ListField(child=s.JSONField(), required=False)
    good = s.BooleanField(required=False)
    text = s.CharField(required=False)


class PreviewRecord(s.Serializer):
    file = s.CharField()
    line = s.IntegerField()
    value = s.JSONField(help_text="the record as it is, long texts cut")
    reason = s.CharField(help_text="why it is refused; empty: it is not")
    items = PreviewItem(many=True)


class ImportPreview(s.Serializer):
    format = s.CharField(help_text="empty: none is told, so name one or map the fields")
    formats = s.ListField(child=s.CharField())
    field_names = s.ListField(child=s.CharField(), help_text="that the first records have")
    records = PreviewRecord(many=True)
    report = ImportReport(allow_null=True, help_text="what the import would come to; null: the format is not told")
    whole = s.BooleanField(help_text="whether the report is of the whole file, or of its first records only")
