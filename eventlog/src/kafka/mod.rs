//! The log on Apache Kafka, through rdkafka.
