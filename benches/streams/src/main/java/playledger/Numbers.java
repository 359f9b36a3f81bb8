package playledger;

import java.nio.ByteBuffer;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.Serializer;

/** What is kept of a session: sums from which its fifteen numbers are formed when it closes. */
final class Numbers {
    /** A gap longer than this is idle time. */
    private static final long IDLE_MS = 60_000;
    private static final int BYTES = 14 * Long.BYTES + 2 * Double.BYTES;

    long nextSeq;
    long events;
    long firstMs;
    long lastMs;
    long activeMs;
    long idleMs;
    long outOfOrder;
    long tasksStarted;
    long tasksCompleted;
    long attempts;
    long successes;
    long latencySumMs;
    long latencyMaxMs;
    long hints;
    double scoreSum;
    double scoreMax;

    /** Takes in an event; false where it is a repeat. */
    boolean apply(Line.Event event, long atMs) {
        if (event.seq < nextSeq) {
            return false;
        }
        nextSeq = event.seq + 1;
        if (events == 0) {
            firstMs = atMs;
            lastMs = atMs;
        }
        long gap = atMs - lastMs;
        if (gap < 0) {
            outOfOrder++;
        } else {
            activeMs += Math.min(gap, IDLE_MS);
            idleMs += Math.max(gap - IDLE_MS, 0);
            lastMs = atMs;
        }
        events++;
        switch (event.event_type) {
            case "task.started" -> tasksStarted++;
            case "task.completed" -> {
                tasksCompleted++;
                scoreSum += event.data.score;
                scoreMax = Math.max(scoreMax, event.data.score);
            }
            case "task.attempted" -> {
                attempts++;
                successes += "success".equals(event.data.outcome) ? 1 : 0;
                latencySumMs += event.data.latency_ms;
                latencyMaxMs = Math.max(latencyMaxMs, event.data.latency_ms);
            }
            case "hint.used" -> hints++;
            default -> { }
        }
        return true;
    }

    /** The fifteen numbers. */
    Report report(String session) {
        return new Report(
                session, events, lastMs - firstMs, activeMs, idleMs, outOfOrder, tasksStarted, tasksCompleted, attempts,
                successes, attempts - successes, share(successes, attempts), share(latencySumMs, attempts), latencyMaxMs,
                hints, tasksCompleted == 0 ? null : scoreSum / tasksCompleted);
    }

    private static Double share(long part, long whole) {
        return whole == 0 ? null : (double) part / whole;
    }

    /** A session's report. */
    record Report(
            String session_id, long event_count, long duration_ms, long active_ms, long idle_ms, long out_of_order,
            long tasks_started, long tasks_completed, long attempts, long successes, long failures, Double success_rate,
            Double mean_latency_ms, long longest_latency_ms, long hints, Double mean_score) { }

    static Serde<Numbers> serde() {
        Serializer<Numbers> write = (topic, kept) -> {
            if (kept == null) {
                return null;
            }
            ByteBuffer to = ByteBuffer.allocate(BYTES);
            to.putLong(kept.nextSeq).putLong(kept.events).putLong(kept.firstMs).putLong(kept.lastMs)
                    .putLong(kept.activeMs).putLong(kept.idleMs).putLong(kept.outOfOrder).putLong(kept.tasksStarted)
                    .putLong(kept.tasksCompleted).putLong(kept.attempts).putLong(kept.successes)
                    .putLong(kept.latencySumMs).putLong(kept.latencyMaxMs).putLong(kept.hints)
                    .putDouble(kept.scoreSum).putDouble(kept.scoreMax);
            return to.array();
        };
        Deserializer<Numbers> read = (topic, bytes) -> {
            if (bytes == null) {
                return null;
            }
            ByteBuffer from = ByteBuffer.wrap(bytes);
            Numbers kept = new Numbers();
            kept.nextSeq = from.getLong();
            kept.events = from.getLong();
            kept.firstMs = from.getLong();
            kept.lastMs = from.getLong();
            kept.activeMs = from.getLong();
            kept.idleMs = from.getLong();
            kept.outOfOrder = from.getLong();
            kept.tasksStarted = from.getLong();
            kept.tasksCompleted = from.getLong();
            kept.attempts = from.getLong();
            kept.successes = from.getLong();
            kept.latencySumMs = from.getLong();
            kept.latencyMaxMs = from.getLong();
            kept.hints = from.getLong();
            kept.scoreSum = from.getDouble();
            kept.scoreMax = from.getDouble();
            return kept;
        };
        return Serdes.serdeFrom(write, read);
    }
}
