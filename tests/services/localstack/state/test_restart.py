"""What LocalStack's services acknowledged is there after kill -9, and goes on by itself."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

from services.connect import connect
from services.localstack.engine import Engine, start
from services.settings import Settings
from tests.waiting import OFTEN, wait_until

ROLE = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}
POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
}
TEMPLATE = {
    "Resources": {
        "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "of-a-stack"}},
        "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "of-a-stack"}},
    },
    "Outputs": {"Topic": {"Value": {"Ref": "Topic"}}},
}


def kill(engine: Engine) -> None:
    os.kill(engine.pid, signal.SIGKILL)
    engine.stop()


class Clients:
    """boto3 clients of one engine."""

    def __init__(self, engine: Engine) -> None:
        self._url = engine.endpoint_url
        self._made: dict[str, Any] = {}

    def __getattr__(self, service: str) -> Any:
        if service not in self._made:
            self._made[service] = connect(service, self._url)
        return self._made[service]


def fill(aws: Clients) -> None:
    """Something of every service."""
    topic = aws.sns.create_topic(Name="news", Tags=[{"Key": "a", "Value": "b"}])["TopicArn"]
    queue = aws.sqs.create_queue(QueueName="news", Attributes={"VisibilityTimeout": "600"})
    queue_url = queue["QueueUrl"]
    aws.sqs.create_queue(QueueName="in-order.fifo", Attributes={"FifoQueue": "true"})
    queue_arn = "arn:aws:sqs:us-east-1:000000000000:news"
    aws.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn)
    for i in range(5):
        aws.sqs.send_message(QueueUrl=queue_url, MessageBody=f"m{i}")
        aws.sqs.send_message(
            QueueUrl=queue_url.replace("/news", "/in-order.fifo"),
            MessageBody=f"f{i}",
            MessageGroupId="g",
            MessageDeduplicationId=f"d{i}",
        )
    aws.sqs.create_queue(QueueName="news-alarms")
    alarms = aws.sns.create_topic(Name="alarms")["TopicArn"]
    aws.sns.subscribe(TopicArn=alarms, Protocol="sqs", Endpoint=queue_arn + "-alarms")
    received = aws.sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=2)["Messages"]
    aws.sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=received[0]["ReceiptHandle"])

    aws.iam.create_role(RoleName="worker", AssumeRolePolicyDocument=json.dumps(ROLE))
    aws.iam.attach_role_policy(
        RoleName="worker", PolicyArn="arn:aws:iam::aws:policy/AmazonKinesisFullAccess"
    )
    aws.iam.create_policy(PolicyName="mine", PolicyDocument=json.dumps(POLICY))
    aws.iam.create_user(UserName="ana")

    aws.events.put_rule(Name="orders", EventPattern=json.dumps({"source": ["shop"]}))
    aws.events.put_targets(Rule="orders", Targets=[{"Id": "q", "Arn": queue_arn}])
    aws.events.put_rule(Name="each-minute", ScheduleExpression="rate(1 minute)")
    aws.events.put_targets(
        Rule="each-minute",
        Targets=[{"Id": "q", "Arn": queue_arn + "-alarms", "Input": '{"tick": 1}'}],
    )
    aws.cloudwatch.put_metric_data(Namespace="shop", MetricData=[{"MetricName": "n", "Value": 7}])
    aws.cloudwatch.put_metric_alarm(
        AlarmName="many",
        Namespace="shop",
        MetricName="n",
        Statistic="Sum",
        Period=10,
        EvaluationPeriods=1,
        Threshold=5,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
        AlarmActions=[alarms],
    )
    aws.logs.create_log_group(logGroupName="/shop")
    aws.logs.create_log_stream(logGroupName="/shop", logStreamName="a")
    now = int(time.time() * 1000)
    aws.logs.put_log_events(
        logGroupName="/shop",
        logStreamName="a",
        logEvents=[{"timestamp": now, "message": "one"}, {"timestamp": now, "message": "two"}],
    )
    aws.cloudformation.create_stack(StackName="lab", TemplateBody=json.dumps(TEMPLATE))
    aws.cloudformation.get_waiter("stack_create_complete").wait(StackName="lab", WaiterConfig=OFTEN)
    aws.ssm.put_parameter(Name="/shop/size", Value="3", Type="String")
    aws.secretsmanager.create_secret(Name="key", SecretString="s3cret")
    aws.stepfunctions.create_state_machine(
        name="machine",
        definition=json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}),
        roleArn="arn:aws:iam::000000000000:role/worker",
    )
    aws.kms.create_key(Description="mine")


def inventory(aws: Clients) -> dict[str, Any]:
    """What the APIs tell of everything; messages are counted, not taken."""
    sqs, cloudformation = aws.sqs, aws.cloudformation
    queues = {}
    for url in sorted(sqs.list_queues().get("QueueUrls", ())):
        told = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        queues[url.rpartition("/")[2]] = {
            # What comes by itself is not counted.
            "messages": "-alarms" in url
            or int(told["ApproximateNumberOfMessages"])
            + int(told["ApproximateNumberOfMessagesNotVisible"]),
            "timeout": told["VisibilityTimeout"],
        }
    groups = aws.logs.describe_log_groups()["logGroups"]
    return {
        "topics": sorted(t["TopicArn"] for t in aws.sns.list_topics()["Topics"]),
        "subscriptions": sorted(
            s["Endpoint"] for s in aws.sns.list_subscriptions()["Subscriptions"]
        ),
        "queues": queues,
        "roles": sorted(r["RoleName"] for r in aws.iam.list_roles()["Roles"]),
        "attached": aws.iam.list_attached_role_policies(RoleName="worker")["AttachedPolicies"],
        "policies": [p["PolicyName"] for p in aws.iam.list_policies(Scope="Local")["Policies"]],
        "users": [u["UserName"] for u in aws.iam.list_users()["Users"]],
        "rules": {
            r["Name"]: [t["Id"] for t in aws.events.list_targets_by_rule(Rule=r["Name"])["Targets"]]
            for r in aws.events.list_rules()["Rules"]
        },
        "alarms": [a["AlarmName"] for a in aws.cloudwatch.describe_alarms()["MetricAlarms"]],
        "metrics": len(aws.cloudwatch.list_metrics(Namespace="shop")["Metrics"]),
        "logs": {
            g["logGroupName"]: [
                e["message"]
                for e in aws.logs.filter_log_events(logGroupName=g["logGroupName"])["events"]
            ]
            for g in groups
        },
        "stacks": {
            s["StackName"]: (s["StackStatus"], [o["OutputValue"] for o in s.get("Outputs", ())])
            for s in cloudformation.describe_stacks()["Stacks"]
        },
        "parameters": [p["Name"] for p in aws.ssm.describe_parameters()["Parameters"]],
        "secret": aws.secretsmanager.get_secret_value(SecretId="key")["SecretString"],
        "machines": [m["name"] for m in aws.stepfunctions.list_state_machines()["stateMachines"]],
        "keys": len(aws.kms.list_keys()["Keys"]),
    }


def test_every_service_survives_kill_9_and_goes_on(tmp_path: Path) -> None:
    settings = Settings(port=0, data_dir=tmp_path / "data", stream_status_seconds=0.02)
    with start(settings) as engine:
        aws = Clients(engine)
        fill(aws)
        before = inventory(aws)
        assert before["logs"]["/shop"] == ["one", "two"]
        assert before["queues"]["news"]["messages"] == 4
        kill(engine)
    with start(settings) as engine:
        aws = Clients(engine)
        assert inventory(aws) == before
        url = aws.sqs.get_queue_url(QueueName="news")["QueueUrl"]
        wait_until(lambda: visible(aws, url) == 4)
        taken = aws.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
        assert {m["Body"] for m in taken} <= {f"m{i}" for i in range(5)}
        fifo = aws.sqs.get_queue_url(QueueName="in-order.fifo")["QueueUrl"]
        in_order = aws.sqs.receive_message(QueueUrl=fifo, MaxNumberOfMessages=10)["Messages"]
        assert [m["Body"] for m in in_order] == [f"f{i}" for i in range(5)]

        aws.events.put_events(Entries=[{"Source": "shop", "DetailType": "x", "Detail": "{}"}])
        aws.sns.publish(TopicArn=before["topics"][1], Message="published")
        bodies: list[str] = []

        def arrived() -> bool:
            got = aws.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            bodies.extend(m["Body"] for m in got.get("Messages", ()))
            return any("published" in b for b in bodies) and any('"shop"' in b for b in bodies)

        wait_until(arrived)
        aws.cloudwatch.put_metric_data(
            Namespace="shop", MetricData=[{"MetricName": "n", "Value": 9}]
        )
        wait_until(lambda: alarm_state(aws) == "ALARM", seconds=60)
        aws.cloudformation.delete_stack(StackName="lab")
        wait_until(lambda: "of-a-stack" not in str(inventory(aws)["topics"]))


def visible(aws: Clients, url: str) -> int:
    """How many messages wait; those in flight do not."""
    told = aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return int(told["ApproximateNumberOfMessages"])


def alarm_state(aws: Clients) -> str:
    return str(aws.cloudwatch.describe_alarms()["MetricAlarms"][0]["StateValue"])
