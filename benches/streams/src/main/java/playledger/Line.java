package playledger;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;

/** A record of play.events, as far as this program reads it. */
@JsonIgnoreProperties(ignoreUnknown = true)
final class Line {
    public String tenant;
    public String received_at;
    public Event event;

    @JsonIgnoreProperties(ignoreUnknown = true)
    static final class Event {
        public String event_id;
        public String session_id;
        public String player_id;
        public long seq;
        public String event_type;
        public String timestamp;
        public Data data;
    }

    @JsonIgnoreProperties(ignoreUnknown = true)
    static final class Data {
        public String task_id;
        public String outcome;
        public long latency_ms;
        public double score;
    }
}
