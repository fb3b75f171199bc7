"""Says what others read on a page.

A line of the input is a page: {"format": "openmetrics", "text": "…"}, {"format": "text", "text": "…"} or
{"format": "protobuf", "hex": "…"}. The answer is a line, too: {"families": […]}, or {"error": "…"} where the page is not
valid. The parsers are those of prometheus_client; protobuf is decoded by Google's library, whose description of the
messages is built here from the fields' names and numbers in Prometheus' own metrics.proto.
"""

import json
import sys

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, unknown_fields
from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics_parser

FIELD = descriptor_pb2.FieldDescriptorProto
MESSAGES = {
    "LabelPair": "1 string name, 2 string value",
    "Timestamp": "1 int64 seconds, 2 int32 nanos",
    "Exemplar": "1 LabelPair* label, 2 double value, 3 Timestamp timestamp",
    "Gauge": "1 double value",
    "Counter": "1 double value, 2 Exemplar exemplar, 3 Timestamp created_timestamp",
    "Quantile": "1 double quantile, 2 double value",
    "Summary": "1 uint64 sample_count, 2 double sample_sum, 3 Quantile* quantile, 4 Timestamp created_timestamp",
    "Bucket": "1 uint64 cumulative_count, 2 double upper_bound, 3 Exemplar exemplar, 4 double cumulative_count_float",
    "BucketSpan": "1 sint32 offset, 2 uint32 length",
    "Histogram": "1 uint64 sample_count, 2 double sample_sum, 3 Bucket* bucket, 4 double sample_count_float, "
    "5 sint32 schema, 6 double zero_threshold, 7 uint64 zero_count, 8 double zero_count_float, "
    "9 BucketSpan* negative_span, 10 sint64* negative_delta, 11 double* negative_count, "
    "12 BucketSpan* positive_span, 13 sint64* positive_delta, 14 double* positive_count, "
    "15 Timestamp created_timestamp, 16 Exemplar* exemplars",
    "Metric": "1 LabelPair* label, 2 Gauge gauge, 3 Counter counter, 4 Summary summary, 7 Histogram histogram, "
    "6 int64 timestamp_ms",
    "MetricFamily": "1 string name, 2 string help, 3 int32 type, 4 Metric* metric, 5 string unit",
}
TYPES = {0: "counter", 1: "gauge", 2: "summary", 4: "histogram"}


def metric_family():
    file = descriptor_pb2.FileDescriptorProto(name="metrics.proto", package="client", syntax="proto2")
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field in fields.split(", "):
            number, kind, field_name = field.split(" ")
            added = message.field.add(name=field_name, number=int(number))
            added.label = FIELD.LABEL_REPEATED if kind.endswith("*") else FIELD.LABEL_OPTIONAL
            kind = kind.rstrip("*")
            if kind in MESSAGES:
                added.type, added.type_name = FIELD.TYPE_MESSAGE, ".client." + kind
            else:
                added.type = getattr(FIELD, "TYPE_" + kind.upper())
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("client.MetricFamily"))


MetricFamily = metric_family()


def number(value):
    return str(value) if isinstance(value, int) else repr(value)


def read_text(families):
    for family in families:
        samples = [
            {
                "name": sample.name,
                "labels": list(sample.labels.items()),
                "value": number(sample.value),
                "exemplar": sample.exemplar
                and [
                    list(sample.exemplar.labels.items()),
                    number(sample.exemplar.value),
                    str(sample.exemplar.timestamp),
                ],
            }
            for sample in family.samples
        ]
        yield {
            "name": family.name,
            "type": family.type,
            "unit": family.unit,
            "help": family.documentation,
            "samples": samples,
        }


def delimited(data):
    while data:
        length = shift = used = 0
        while True:
            byte = data[used]
            length |= (byte & 0x7F) << shift
            used, shift = used + 1, shift + 7
            if byte < 0x80:
                break
        assert used + length <= len(data), "the last message is cut short"
        yield data[used : used + length]
        data = data[used + length :]


def refuse_unknown(message):
    assert len(unknown_fields.UnknownFieldSet(message)) == 0, "a field that nobody knows"
    for descriptor, value in message.ListFields():
        if descriptor.type == FIELD.TYPE_MESSAGE:
            try:
                parts = list(value)
            except TypeError:
                parts = [value]
            for part in parts:
                refuse_unknown(part)


def sparse(spans, deltas):
    index, count, deltas = 0, 0, iter(deltas)
    for span in spans:
        index += span.offset
        for _ in range(span.length):
            count += next(deltas)
            yield [index, count]
            index += 1
    assert next(deltas, None) is None, "more deltas than the spans are long"


def read_protobuf(data):
    for encoded in delimited(data):
        family = MetricFamily.FromString(encoded)
        refuse_unknown(family)
        kind, samples, native = TYPES[family.type], [], []
        for metric in family.metric:
            labels = [[label.name, label.value] for label in metric.label]
            value = getattr(metric, kind)
            assert metric.HasField(kind), "a metric of another type than its family"
            assert kind == "gauge" or value.HasField("created_timestamp"), "when was it created?"

            def sample(suffix, value, own=(), exemplar=None):
                exemplar = exemplar and [
                    [[label.name, label.value] for label in exemplar.label],
                    number(exemplar.value),
                    f"{exemplar.timestamp.seconds}.{exemplar.timestamp.nanos:09}",
                ]
                samples.append(
                    {
                        "name": family.name + suffix,
                        "labels": labels + list(own),
                        "value": number(value),
                        "exemplar": exemplar,
                    }
                )

            if kind in ("counter", "gauge"):
                exemplar = kind == "counter" and value.HasField("exemplar")
                sample("", value.value, exemplar=value.exemplar if exemplar else None)
                continue
            if kind == "summary":
                for quantile in value.quantile:
                    sample("", quantile.value, [["quantile", number(quantile.quantile)]])
            else:
                for bucket in value.bucket:
                    exemplar = bucket.exemplar if bucket.HasField("exemplar") else None
                    bound = [["le", number(bucket.upper_bound)]]
                    sample("_bucket", bucket.cumulative_count, bound, exemplar)
                if value.HasField("schema"):
                    assert len(value.positive_span) + len(value.negative_span) > 0, "native?"
                    native.append(
                        {
                            "schema": value.schema,
                            "zero_threshold": number(value.zero_threshold),
                            "zero_count": value.zero_count,
                            "positive": list(sparse(value.positive_span, value.positive_delta)),
                            "negative": list(sparse(value.negative_span, value.negative_delta)),
                            "exemplars": len(value.exemplars),
                        }
                    )
            sample("_sum", value.sample_sum)
            sample("_count", value.sample_count)
        yield {
            "name": family.name,
            "type": kind,
            "unit": family.unit,
            "help": family.help,
            "samples": samples,
            "native": native,
        }


def read(page):
    if page["format"] == "openmetrics":
        return read_text(openmetrics_parser.text_string_to_metric_families(page["text"]))
    if page["format"] == "text":
        return read_text(parser.text_string_to_metric_families(page["text"]))
    return read_protobuf(bytes.fromhex(page["hex"]))


print("ready", flush=True)
for line in sys.stdin:
    try:
        answer = {"families": list(read(json.loads(line)))}
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
