//! What passes between a consumer's thread and the task that uses it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tokio::sync::Notify;

use super::native::EventQueue;

/// So many bytes may wait for the task, unless somebody says otherwise.
pub(super) const ROOM_BYTES: usize = 32 << 20;
/// So many items may wait for the task.
const ROOM_ITEMS: usize = 256;

/// Commands one way, bounded items and unbounded notices the other way.
///
/// Notices (assigned, revoked, failed) overtake items (batches): they are few and urgent.
pub(super) struct Link<Command, Notice, Item> {
    state: Mutex<State<Command, Notice, Item>>,
    /// Wakes the thread where it waits for room or commands.
    for_thread: Condvar,
    /// Wakes the task.
    for_task: Notify,
}

struct State<Command, Notice, Item> {
    commands: VecDeque<Command>,
    notices: VecDeque<Notice>,
    items: VecDeque<(usize, Item)>,
    bytes: usize,
    /// So many bytes may wait.
    room: usize,
    /// Wakes the thread where it waits for the cluster; none when the thread has ended, because the
    /// queue must go before its client does.
    queue: Option<Arc<EventQueue>>,
}

/// What the task gets.
pub(super) enum Received<Notice, Item> {
    /// Something urgent.
    Notice(Notice),
    /// The next item.
    Item(Item),
    /// The thread has ended and nothing is left.
    Ended,
}

impl<Command, Notice, Item> Link<Command, Notice, Item> {
    /// A link on which so many bytes may wait for the task.
    pub(super) fn new(queue: Arc<EventQueue>, room: usize) -> Self {
        let state = State {
            commands: VecDeque::new(),
            notices: VecDeque::new(),
            items: VecDeque::new(),
            bytes: 0,
            room,
            queue: Some(queue),
        };
        Self { state: Mutex::new(state), for_thread: Condvar::new(), for_task: Notify::new() }
    }

    /// Task: tells the thread what to do. False when it has ended.
    pub(super) fn command(&self, command: Command) -> bool {
        let mut state = self.state.lock();
        let Some(queue) = &state.queue else { return false };
        // Under the lock, so that the thread cannot end in between.
        queue.wake();
        state.commands.push_back(command);
        drop(state);
        self.for_thread.notify_one();
        true
    }

    /// Task: something urgent, if there is any.
    pub(super) fn next_notice(&self) -> Option<Notice> {
        self.state.lock().notices.pop_front()
    }

    /// Whether the thread has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.state.lock().queue.is_none()
    }

    /// Task: the next thing from the thread. Cancel safe.
    pub(super) async fn receive(&self) -> Received<Notice, Item> {
        loop {
            let woken = self.for_task.notified();
            if let Some(received) = self.try_receive() {
                return received;
            }
            woken.await;
        }
    }

    fn try_receive(&self) -> Option<Received<Notice, Item>> {
        let mut state = self.state.lock();
        if let Some(notice) = state.notices.pop_front() {
            return Some(Received::Notice(notice));
        }
        if let Some((size, item)) = state.items.pop_front() {
            state.bytes -= size;
            drop(state);
            self.for_thread.notify_one();
            return Some(Received::Item(item));
        }
        state.queue.is_none().then_some(Received::Ended)
    }

    /// Thread: the next command.
    pub(super) fn next_command(&self) -> Option<Command> {
        self.state.lock().commands.pop_front()
    }

    /// Thread: hands a notice to the task.
    pub(super) fn notice(&self, notice: Notice) {
        self.state.lock().notices.push_back(notice);
        self.for_task.notify_one();
    }

    /// Thread: hands an item to the task, whether there is room or not.
    pub(super) fn item(&self, size: usize, item: Item) {
        let mut state = self.state.lock();
        state.items.push_back((size, item));
        state.bytes += size;
        drop(state);
        self.for_task.notify_one();
    }

    /// Thread: whether another item should be handed over.
    pub(super) fn has_room(&self) -> bool {
        self.state.lock().has_room()
    }

    /// Thread: waits until there is room (true) or a command, at most so long.
    pub(super) fn wait_for_room(&self, wait: Duration) -> bool {
        let until = Instant::now() + wait;
        let mut state = self.state.lock();
        while !state.has_room() && state.commands.is_empty() {
            if self.for_thread.wait_until(&mut state, until).timed_out() {
                break;
            }
        }
        state.has_room()
    }

    /// Thread: what it returns ends the link when it is dropped, also when the thread panics.
    pub(super) fn ending(&self) -> Ending<'_, Command, Notice, Item> {
        Ending(self)
    }

    fn end(&self) {
        let mut state = self.state.lock();
        state.queue = None;
        // Whoever waits for the answer to a command learns that none will come.
        state.commands.clear();
        drop(state);
        self.for_task.notify_one();
    }
}

/// Ends a link when it is dropped.
pub(super) struct Ending<'a, Command, Notice, Item>(&'a Link<Command, Notice, Item>);

impl<Command, Notice, Item> Drop for Ending<'_, Command, Notice, Item> {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl<Command, Notice, Item> State<Command, Notice, Item> {
    fn has_room(&self) -> bool {
        self.bytes < self.room && self.items.len() < ROOM_ITEMS
    }
}
