import com.google.common.util.concurrent.ListenableFuture;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.kinesis.producer.KinesisProducer;
import software.amazon.kinesis.producer.KinesisProducerConfiguration;
import software.amazon.kinesis.producer.UserRecordResult;

/** Puts COUNT user records into STREAM of the engine at HOST and PORT, aggregated. */
public class RealKpl {
    public static void main(String[] arguments) throws Exception {
        String host = arguments[0];
        String stream = arguments[2];
        long port = Long.parseLong(arguments[1]);
        int count = Integer.parseInt(arguments[3]);
        KinesisProducer producer = new KinesisProducer(configuration(host, port));
        // Before its shard map is there, the KPL aggregates nothing.
        put(producer, stream, "first", "first").get();
        Thread.sleep(5000);
        List<ListenableFuture<UserRecordResult>> answers = new ArrayList<>();
        for (int number = 0; number < count; number++) {
            answers.add(put(producer, stream, "key-" + number, "record-" + number));
        }
        Set<String> kinesisRecords = new HashSet<>();
        for (ListenableFuture<UserRecordResult> answer : answers) {
            kinesisRecords.add(answer.get(60, TimeUnit.SECONDS).getSequenceNumber());
        }
        System.out.println(answers.size() + " in " + kinesisRecords.size());
        producer.destroy();
        System.exit(0);
    }

    private static ListenableFuture<UserRecordResult> put(
            KinesisProducer producer, String stream, String key, String text) {
        byte[] data = text.getBytes(StandardCharsets.UTF_8);
        return producer.addUserRecord(stream, key, ByteBuffer.wrap(data));
    }

    private static KinesisProducerConfiguration configuration(String host, long port) {
        return new KinesisProducerConfiguration()
            .setRegion("us-east-1")
            .setKinesisEndpoint(host)
            .setKinesisPort(port)
            .setStsEndpoint(host)
            .setStsPort(port)
            .setCloudwatchEndpoint(host)
            .setCloudwatchPort(port)
            .setVerifyCertificate(false)
            .setCredentialsProvider(
                StaticCredentialsProvider.create(AwsBasicCredentials.create("test", "test")))
            .setMetricsLevel("none")
            .setRequestTimeout(20_000)
            .setRecordTtl(60_000);
    }
}
