//! A newcomer asks for its share: siblings with more connections than the mean give it some.

use std::io;

use tokio::task::JoinSet;

use super::desk::{Desk, decode, unexpected};
use super::siblings::{Greeting, Sibling};
use crate::handoff::{Frame, Hello, shares};

/// Asks once, and takes what is given. A sibling that does not know the question, or has it switched
/// off, just ends the link.
pub(super) async fn ask(desk: Desk) {
    let siblings = Greeting::all(&desk.place).prompt().await;
    let hellos: Vec<Hello> = siblings.iter().map(|sibling| sibling.hello).collect();
    let mut links = JoinSet::new();
    for (sibling, wanted) in siblings.into_iter().zip(shares(&desk.hello(), &hellos)) {
        if wanted > 0 {
            links.spawn(pull(desk.clone(), sibling, wanted));
        }
    }
    while let Some(pulled) = links.join_next().await {
        if let Ok(Err(error)) = pulled {
            tracing::warn!("a sibling did not give what it was asked for: {error}");
        }
    }
}

async fn pull(desk: Desk, Sibling { link, .. }: Sibling, wanted: u16) -> io::Result<()> {
    desk.say_hello(&link).await?;
    link.send(&Frame::Pull { wanted }.encode()).await?;
    match desk.take_all(&link).await? {
        Some(message) => Err(unexpected(&decode(&message)?)),
        None => Ok(()),
    }
}
