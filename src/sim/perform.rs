//! Plays acts on a connection, one after the other, for as long as the client stays.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::act::Opening;
use super::script::Cue;
use super::socket::{Gone, Socket};
use super::{Act, Ended, Finish, Framing, Request, Shared};

/// What becomes of the connection after an act.
enum After {
    Keep,
    DropNext,
    Close,
    Reset,
}

/// Meets every request that comes over `stream`.
pub(super) async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let open = shared.log.open();
    let mut socket = Socket::new(stream);
    while let Ok(request) = socket.request(open.number).await {
        let after = if request.wants_models() {
            let cue = shared.script.catalogue(&request).unwrap_or_else(unexpected);
            play(&mut socket, &cue.act, &request).await
        } else {
            meet(&mut socket, &shared, &request).await
        };
        match after {
            Ok(After::Keep) => {}
            Ok(After::DropNext) => {
                if socket.wait_for_more().await.is_ok() {
                    socket.reset();
                }
                return;
            }
            Ok(After::Close) => return socket.close().await,
            Ok(After::Reset) => return socket.reset(),
            Err(Gone) => return,
        }
    }
}

async fn meet(socket: &mut Socket, shared: &Shared, request: &Request) -> Result<After, Gone> {
    let cue = shared.script.next(request);
    let index = shared.log.arrived(request, cue.is_some());
    let cue = cue.unwrap_or_else(unexpected);
    let after = play(socket, &cue.act, request).await;
    drop(cue.places);
    shared.log.ended(index, if after.is_ok() { Ended::Played } else { Ended::ClientLeft });
    after
}

/// What meets a request that the script has no act for.
fn unexpected() -> Cue {
    Cue { act: Act::status(599).error("The script has no act for this call", 599), places: Vec::new() }
}

async fn play(socket: &mut Socket, act: &Act, request: &Request) -> Result<After, Gone> {
    socket.rest(Some(act.delay)).await?;
    match &act.opening {
        Opening::Head => {}
        Opening::Raw(bytes) => {
            socket.write(bytes).await?;
            return finish(socket, act, Framing::UntilClose, false).await;
        }
        Opening::Hang => {
            socket.rest(None).await?;
            return Ok(After::Close);
        }
        Opening::Close => return Ok(After::Close),
        Opening::Reset => return Ok(After::Reset),
    }

    let rendered = act.render(request);
    let framing = rendered.framing;
    if act.first_token.is_zero() && act.pace.is_zero() {
        socket.write(&whole(&rendered.head, &rendered.frames, framing)).await?;
    } else {
        socket.write(&rendered.head).await?;
        rest(socket, act, framing, Some(act.first_token)).await?;
        for (index, frame) in rendered.frames.iter().enumerate() {
            let pace = if index == 0 { Duration::ZERO } else { act.pace };
            rest(socket, act, framing, Some(pace)).await?;
            socket.write(&framed(frame, framing)).await?;
        }
    }
    finish(socket, act, framing, rendered.short).await
}

async fn finish(socket: &mut Socket, act: &Act, framing: Framing, short: bool) -> Result<After, Gone> {
    let after = match act.finish {
        Finish::End if short || framing == Framing::UntilClose => return Ok(After::Close),
        Finish::End => After::Keep,
        Finish::Close => After::Close,
        Finish::DropNext => After::DropNext,
        Finish::Eof => return Ok(After::Close),
        Finish::Reset => return Ok(After::Reset),
        Finish::Stall => {
            rest(socket, act, framing, None).await?;
            return Ok(After::Close);
        }
        Finish::BrokenChunking => {
            socket.write(b"no size\r\n").await?;
            return Ok(After::Close);
        }
    };
    if framing == Framing::Chunked {
        socket.write(b"0\r\n\r\n").await?;
    }
    Ok(after)
}

/// Waits in the middle of a body, with the act's comments where the framing has room for them.
async fn rest(
    socket: &mut Socket,
    act: &Act,
    framing: Framing,
    duration: Option<Duration>,
) -> Result<(), Gone> {
    let room = matches!(framing, Framing::Chunked | Framing::UntilClose) && act.encoding.is_none();
    let Some(interval) = act.comments.filter(|_| room) else {
        return socket.rest(duration).await;
    };
    let end = duration.map(|duration| Instant::now() + duration);
    loop {
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left <= interval) {
            return socket.rest(left).await;
        }
        socket.rest(Some(interval)).await?;
        socket.write(&framed(&Bytes::from_static(b": PROCESSING\n\n"), framing)).await?;
    }
}

/// Everything in one write: a provider in a hurry.
fn whole(head: &Bytes, frames: &[Bytes], framing: Framing) -> Vec<u8> {
    let mut bytes = head.to_vec();
    for frame in frames {
        bytes.extend_from_slice(&framed(frame, framing));
    }
    bytes
}

fn framed(frame: &Bytes, framing: Framing) -> Bytes {
    if framing != Framing::Chunked {
        return frame.clone();
    }
    let mut chunk = format!("{:x}\r\n", frame.len()).into_bytes();
    chunk.extend_from_slice(frame);
    chunk.extend_from_slice(b"\r\n");
    Bytes::from(chunk)
}
