package playledger;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.ObjectWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Instant;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * What the worker is measured against: the same topic, exactly once, fifteen numbers a session, as one would write
 * it with Kafka Streams. Arguments: brokers, application id, input topic, output topic, state folder.
 */
public final class Streams {
    private static final String STORE = "sessions";

    private Streams() { }

    public static void main(String[] arguments) {
        Properties settings = new Properties();
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, arguments[0]);
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, arguments[1]);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, arguments[4]);
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 500);
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 2);
        settings.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
        settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 64L << 20);
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "lz4");
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");

        Topology topology = new Topology();
        topology.addSource("events", Serdes.ByteArray().deserializer(), Serdes.ByteArray().deserializer(), arguments[2]);
        topology.addProcessor("fold", Fold::new, "events");
        topology.addStateStore(
                Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore(STORE), Serdes.String(), Numbers.serde())
                        .withCachingEnabled(),
                "fold");
        topology.addSink(
                "reports", arguments[3], Serdes.String().serializer(), Serdes.ByteArray().serializer(), "fold");

        KafkaStreams streams = new KafkaStreams(topology, settings);
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
    }

    /** Sums up the sessions of a partition; reports one when it closes. */
    private static final class Fold implements Processor<byte[], byte[], String, byte[]> {
        private static final ObjectMapper JSON = new ObjectMapper();
        private final ObjectReader lines = JSON.readerFor(Line.class);
        private final ObjectWriter reports = JSON.writerFor(Numbers.Report.class);
        private ProcessorContext<String, byte[]> context;
        private KeyValueStore<String, Numbers> sessions;

        @Override
        public void init(ProcessorContext<String, byte[]> given) {
            context = given;
            sessions = given.getStateStore(STORE);
        }

        @Override
        public void process(Record<byte[], byte[]> record) {
            try {
                Line line = lines.readValue(record.value());
                String session = line.event.session_id;
                Numbers kept = sessions.get(session);
                if (kept == null) {
                    kept = new Numbers();
                }
                if (!kept.apply(line.event, Instant.parse(line.event.timestamp).toEpochMilli())) {
                    return;
                }
                if ("session.closed".equals(line.event.event_type)) {
                    String key = line.tenant + ":" + line.event.player_id;
                    byte[] report = reports.writeValueAsBytes(kept.report(session));
                    context.forward(new Record<>(key, report, record.timestamp()));
                    sessions.delete(session);
                } else {
                    sessions.put(session, kept);
                }
            } catch (IOException error) {
                throw new UncheckedIOException(error);
            }
        }
    }
}
