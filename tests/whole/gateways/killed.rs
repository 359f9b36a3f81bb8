//! kill −9 of gateways under load.

use playledger_tests::behind;
use playledger_tests::book::{Attempt, Book};
use playledger_tests::world::Gateways;

use super::{Load, settle};

const KILLS: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn gateways_killed_twenty_times_under_load_lose_nothing_of_a_202() -> anyhow::Result<()> {
    let mut world = Gateways::on(behind::any(), 1)?;
    let player = world.player()?;
    let mut load = Load::new(&player);
    let urls = [world.add(None, &[])?, world.add(None, &[])?].map(|number| world.gateway(number).url.clone());
    for own in 0..2 {
        let urls = urls.clone();
        // What its own gateway does not answer it takes to the other one, and back.
        load.add(&player, 10, move |attempt| urls[(own + attempt) % 2].clone());
    }
    for turn in 0..KILLS {
        let victim = turn % 2;
        let acknowledged = |book: &Book| {
            let of_it = |attempt: &&Attempt| attempt.gateway == urls[victim] && attempt.status() == Some(202);
            book.attempts.iter().filter(of_it).count()
        };
        let before = acknowledged(&load.book.lock());
        load.until("acknowledged by the next victim", |book| acknowledged(book) >= before + 10).await?;
        world.kill(victim)?;
        world.start(victim)?;
    }
    let book = load.stop().await?;
    settle("15", &mut world, &book).await?;
    let unanswered = book.attempts.iter().filter(|attempt| attempt.answer.is_none()).count();
    assert!(unanswered > 0, "no kill fell into a request: {book}");
    assert_eq!(book.sent, book.acknowledged, "every event was sent until it was acknowledged");
    world.terminate_all()
}
