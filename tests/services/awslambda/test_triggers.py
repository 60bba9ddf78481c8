"""What starts functions: topics, buckets, alarms, schedules, URLs; and what templates make."""

from __future__ import annotations

import json
import urllib.request
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.conftest import EngineUnderTest
from tests.services.awslambda.functions import deploy, invoke, package
from tests.waiting import OFTEN, wait_until

#: Sends what it was called with to a queue of its own name.
REPORTER = """
import boto3, json, os
sqs = boto3.client("sqs")
url = sqs.create_queue(QueueName=os.environ["AWS_LAMBDA_FUNCTION_NAME"])["QueueUrl"]

def handler(event, context):
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps(event))
"""


class Reporter:
    """A deployed function that tells what it was called with."""

    def __init__(self, engine: EngineUnderTest) -> None:
        self.sqs = engine.client("sqs")
        self.name = deploy(engine.client("lambda"), REPORTER)
        self.arn = f"arn:aws:lambda:us-east-1:000000000000:function:{self.name}"

    def event(self) -> Any:
        """The next event it received."""
        found = wait_until(self._receive, seconds=90)
        return json.loads(found["Body"])

    def _receive(self) -> dict[str, Any] | None:
        try:
            queue = self.sqs.get_queue_url(QueueName=self.name)["QueueUrl"]
        except self.sqs.exceptions.QueueDoesNotExist:
            return None
        for message in self.sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1).get(
            "Messages", ()
        ):
            self.sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            return dict(message)
        return None


@pytest.fixture
def reporter(engine: EngineUnderTest) -> Reporter:
    return Reporter(engine)


def test_a_topic_calls_its_function(engine: EngineUnderTest, reporter: Reporter) -> None:
    sns = engine.client("sns")
    topic = sns.create_topic(Name=reporter.name)["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=reporter.arn)
    sns.publish(TopicArn=topic, Message="hello", Subject="greeting")
    (record,) = reporter.event()["Records"]
    assert record["EventSource"] == "aws:sns"
    assert (record["Sns"]["Message"], record["Sns"]["Subject"]) == ("hello", "greeting")


def test_an_object_in_a_bucket_calls_its_function(
    engine: EngineUnderTest, reporter: Reporter
) -> None:
    s3 = engine.client("s3", s3={"addressing_style": "path"})
    s3.create_bucket(Bucket=reporter.name)
    engine.client("lambda").add_permission(
        FunctionName=reporter.name,
        StatementId="s3",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
    )
    s3.put_bucket_notification_configuration(
        Bucket=reporter.name,
        NotificationConfiguration={
            "LambdaFunctionConfigurations": [
                {"LambdaFunctionArn": reporter.arn, "Events": ["s3:ObjectCreated:*"]}
            ]
        },
    )
    s3.put_object(Bucket=reporter.name, Key="a/b.json", Body=b"{}")
    event = reporter.event()
    if event.get("Event") == "s3:TestEvent":
        event = reporter.event()
    (record,) = event["Records"]
    assert record["eventName"] == "ObjectCreated:Put"
    assert record["s3"]["object"]["key"] == "a/b.json"


def test_an_alarm_calls_the_function_of_its_topic(
    engine: EngineUnderTest, reporter: Reporter
) -> None:
    sns, cloudwatch = engine.client("sns"), engine.client("cloudwatch")
    topic = sns.create_topic(Name=reporter.name)["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=reporter.arn)
    cloudwatch.put_metric_alarm(
        AlarmName=reporter.name,
        MetricName="orders",
        Namespace=reporter.name,
        Statistic="Sum",
        Period=10,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        AlarmActions=[topic],
    )
    cloudwatch.set_alarm_state(
        AlarmName=reporter.name, StateValue="ALARM", StateReason="many orders"
    )
    (record,) = reporter.event()["Records"]
    message = json.loads(record["Sns"]["Message"])
    assert (message["AlarmName"], message["NewStateValue"]) == (reporter.name, "ALARM")


def test_cloudwatch_counts_what_functions_did(engine: EngineUnderTest) -> None:
    cloudwatch, awslambda = engine.client("cloudwatch"), engine.client("lambda")
    name = deploy(awslambda, "def handler(event, _): return 1 / event")
    for event in ("1", "2", "0"):
        awslambda.invoke(FunctionName=name, Payload=event)

    def sums() -> dict[str, float]:
        found = {}
        for metric in ("Invocations", "Errors", "Duration"):
            points = cloudwatch.get_metric_statistics(
                Namespace="AWS/Lambda",
                MetricName=metric,
                Dimensions=[{"Name": "FunctionName", "Value": name}],
                StartTime=datetime.now(UTC) - timedelta(hours=3),
                EndTime=datetime.now(UTC) + timedelta(hours=3),
                Period=86_400,
                Statistics=["Sum", "SampleCount"],
            )["Datapoints"]
            kind = "SampleCount" if metric == "Duration" else "Sum"
            found[metric] = sum(point[kind] for point in points)
        return found

    wait_until(lambda: sums() == {"Invocations": 3, "Errors": 1, "Duration": 3}, every=0.5)


def test_an_event_that_a_rule_matches_calls_its_function(
    engine: EngineUnderTest, reporter: Reporter
) -> None:
    events = engine.client("events")
    events.put_rule(Name=reporter.name, EventPattern=json.dumps({"source": [reporter.name]}))
    events.put_targets(Rule=reporter.name, Targets=[{"Id": "1", "Arn": reporter.arn}])
    entry = {"Source": reporter.name, "DetailType": "order", "Detail": '{"total": 3}'}
    events.put_events(Entries=[entry])
    event = reporter.event()
    assert (event["detail-type"], event["detail"]) == ("order", {"total": 3})


def test_a_function_url_calls_its_function(engine: EngineUnderTest) -> None:
    awslambda = engine.client("lambda")
    source = "def handler(event, _):\n  return {'statusCode': 201, 'body': event['rawPath']}"
    name = deploy(awslambda, source)
    url = awslambda.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
    host = url.split("/")[2]
    request = urllib.request.Request(f"{engine.endpoint_url}/some/path", headers={"Host": host})
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert (answer.status, answer.read()) == (201, b"/some/path")


@pytest.mark.slow
def test_a_schedule_calls_its_function(engine: EngineUnderTest, reporter: Reporter) -> None:
    events = engine.client("events")
    events.put_rule(Name=reporter.name, ScheduleExpression="rate(1 minute)")
    target = {"Id": "1", "Arn": reporter.arn, "Input": '{"generate": 10}'}
    events.put_targets(Rule=reporter.name, Targets=[target])
    assert reporter.event() == {"generate": 10}


TEMPLATE = """
AWSTemplateFormatVersion: "2010-09-09"
Resources:
  Clicks:
    Type: AWS::Kinesis::Stream
    Properties: {ShardCount: 1}
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement:
          - {Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: "sts:AssumeRole"}
  Maker:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: python3.13
      Handler: index.handler
      Role: !GetAtt Role.Arn
      Timeout: 60
      Code:
        ZipFile: |
          import cfnresponse
          def handler(event, context):
              cfnresponse.send(event, context, cfnresponse.SUCCESS,
                               {"Answer": event["ResourceProperties"]["Question"].upper()}, "made")
  Made:
    Type: Custom::Made
    Properties: {ServiceToken: !GetAtt Maker.Arn, Question: ready}
  FromS3:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: python3.13
      Handler: app.handler
      Role: !GetAtt Role.Arn
      Code: {S3Bucket: BUCKET, S3Key: code.zip}
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      FunctionName: !Ref FromS3
      EventSourceArn: !GetAtt Clicks.Arn
      StartingPosition: TRIM_HORIZON
      BatchSize: 10
      BisectBatchOnFunctionError: true
  Permission:
    Type: AWS::Lambda::Permission
    Properties:
      FunctionName: !Ref FromS3
      Action: lambda:InvokeFunction
      Principal: events.amazonaws.com
  Rule:
    Type: AWS::Events::Rule
    Properties:
      ScheduleExpression: rate(1 hour)
      Targets: [{Id: "1", Arn: !GetAtt FromS3.Arn}]
  Schedule:
    Type: AWS::Scheduler::Schedule
    Properties:
      ScheduleExpression: rate(1 hour)
      FlexibleTimeWindow: {Mode: "OFF"}
      Target: {Arn: !GetAtt FromS3.Arn, RoleArn: !GetAtt Role.Arn}
Outputs:
  Answer: {Value: !GetAtt Made.Answer}
  Function: {Value: !Ref FromS3}
  Mapping: {Value: !Ref Mapping}
  Stream: {Value: !Ref Clicks}
"""


@pytest.mark.slow
def test_a_template_makes_functions_with_what_calls_them(engine: EngineUnderTest) -> None:
    s3 = engine.client("s3", s3={"addressing_style": "path"})
    cloudformation = engine.client("cloudformation")
    name = f"stack-{uuid.uuid4().hex[:8]}"
    s3.create_bucket(Bucket=name)
    code = package({"app.py": "def handler(event, _): return event"})
    s3.put_object(Bucket=name, Key="code.zip", Body=code)
    cloudformation.create_stack(
        StackName=name,
        TemplateBody=TEMPLATE.replace("BUCKET", name),
        Capabilities=["CAPABILITY_IAM"],
    )

    def stack() -> Any:
        found = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        if "FAILED" in found["StackStatus"] or "ROLLBACK" in found["StackStatus"]:
            events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
            pytest.fail("; ".join(e.get("ResourceStatusReason", "") for e in events), pytrace=False)
        return found if found["StackStatus"] == "CREATE_COMPLETE" else None

    outputs = {
        output["OutputKey"]: output["OutputValue"]
        for output in wait_until(stack, seconds=120)["Outputs"]
    }
    assert outputs["Answer"] == "READY"
    awslambda = engine.client("lambda")
    assert invoke(awslambda, outputs["Function"], {"a": 1}) == {"a": 1}
    mapping = awslambda.get_event_source_mapping(UUID=outputs["Mapping"])
    assert (mapping["BatchSize"], mapping["BisectBatchOnFunctionError"]) == (10, True)
    cloudformation.delete_stack(StackName=name)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig=OFTEN)
