//! What every log promises, tried on each of them.
//!
//! A promise is an async function over a [`subject::World`]; `promises!` makes a test of it for each
//! log. The Kafka half needs a real broker and fails where none can be started.

#![expect(unreachable_pub, reason = "a test program exports nothing")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that fails says where")]

mod append;
mod commit;
mod crash;
mod group;
mod handover;
mod outage;
mod read;
mod rebalance;
mod subject;
mod topics;
mod world;

#[path = "../../../tests/src/kafka.rs"]
mod kafka;

macro_rules! promises {
    ($($arm:ident: $subject:ident),*; $promises:tt) => {
        $(promises! { @arm $arm $subject $promises })*
    };
    (@arm $arm:ident $subject:ident { $($group:ident: $($promise:ident)*;)* }) => {
        mod $arm {
            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $promise() {
                    crate::$group::$promise(&crate::world::World::new(crate::subject::$subject()).await).await;
                }
            )*)*
        }
    };
}

// Only on logs that another process can open.
mod processes {
    promises! {
        on_kafka: kafka, on_embedded: embedded; {
            crash:
                acknowledged_records_survive_the_writers_death
                a_commit_is_seen_whole_or_not_at_all_though_the_writer_dies;
        }
    }
}

promises! {
    on_kafka: kafka, on_embedded: embedded, on_simulated: simulated; {
        append:
            records_keep_their_order_within_a_partition
            a_record_comes_back_as_it_was_written
            what_the_log_never_takes_is_refused
            a_full_queue_is_told_at_once_and_takes_nothing
            flush_waits_for_all_that_was_handed_over;
        commit:
            outputs_and_offsets_are_committed_together
            what_was_aborted_is_never_seen
            a_refused_commit_leaves_no_trace
            an_earlier_holder_of_a_name_is_refused
            a_member_that_is_not_transactional_commits_offsets;
        group:
            nothing_is_read_before_its_start_is_named
            a_move_drops_what_was_read_before
            caught_up_is_told_on_an_empty_partition_and_again
            many_empty_partitions_are_told_without_a_pause_between_them
            caught_up_lies_behind_markers
            a_member_without_a_share_learns_that_it_has_joined
            a_slow_member_stays_and_misses_nothing
            who_asks_in_snatches_gets_on_and_misses_nothing
            a_start_beyond_the_end_is_out_of_range;
        handover:
            members_come_and_go_and_each_record_counts_once
            who_leaves_is_not_missed_first
            a_released_partition_can_no_longer_be_committed
            what_is_committed_before_the_release_counts;
        rebalance:
            a_held_partition_waits_and_the_others_go_on
            more_than_there_is_room_for_waits_in_the_log_while_it_is_held
            partitions_that_stay_are_committed_while_others_wait_to_go
            who_has_not_heard_of_a_revocation_leaves_all_the_same
            who_stays_away_for_a_moment_has_its_share_back;
        read:
            ends_are_exact_where_markers_take_offsets
            several_stretches_are_read_at_once
            a_reader_without_an_end_goes_on
            offsets_are_found_by_time
            state_is_restored_up_to_the_high_watermark;
        topics:
            missing_topics_are_made_and_differences_are_told
            a_topic_made_again_has_another_identity
            old_records_go_when_retention_is_over
            what_was_cleaned_away_is_out_of_range
            compaction_keeps_the_newest_of_each_key;
    }
}
