//! Requests with a way back of their own: answers, order, ends, and what ids mean where many peers share a connection.

#![allow(clippy::unwrap_used, reason = "helpers of tests panic")]

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use mcp_jsonrpc::{Id, Message, Notification, Request, Response};
use mcp_transport_core::{
    CloseReason, Connection, Context, ErrorKind, Frame, Incoming, Options, Outlet, ResponseStream, Wire,
    response_stream,
};

/// Yields what it was given, and then nothing; takes nothing.
struct Given(VecDeque<Frame>);

impl Wire for Given {
    fn poll_recv(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<Frame, CloseReason>> {
        self.0.pop_front().map_or(Poll::Pending, |frame| Poll::Ready(Ok(frame)))
    }

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn start_send(&mut self, message: Message) -> std::io::Result<()> {
        panic!("{message:?} went through the wire");
    }

    fn poll_flush(&mut self, _: &mut TaskContext<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(&mut self, _: &mut TaskContext<'_>) -> Poll<()> {
        Poll::Ready(())
    }
}

fn request(id: u64, outlet: Outlet) -> Frame {
    Frame::Request(Request::new(id, "x"), Arc::new(Context::new("test")), outlet)
}

fn given(frames: impl IntoIterator<Item = Frame>, options: Options) -> Connection {
    Connection::new(Given(frames.into_iter().collect()), options)
}

fn stream() -> (Outlet, ResponseStream) {
    response_stream(1024, 16)
}

async fn exchange(connection: &mut Connection) -> mcp_transport_core::Exchange {
    match connection.next().await {
        Some(Incoming::Request(exchange)) => exchange,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_same_id_twice_and_each_answer_goes_its_own_way() {
    let ((one, mut first), (two, mut second)) = (stream(), stream());
    let mut connection = given([request(1, one), request(1, two)], Options::default().with_sessionless());
    let (a, b) = (exchange(&mut connection).await, exchange(&mut connection).await);
    b.finish("b");
    a.responder().notify(Notification::new("note")).await.unwrap();
    a.finish("a");
    let said = |message: Message| String::from_utf8(message.into_line().to_vec()).unwrap();
    assert!(said(first.recv().await.unwrap()).contains("note"));
    assert!(said(first.recv().await.unwrap()).contains(r#""a""#));
    assert!(said(second.recv().await.unwrap()).contains(r#""b""#));
    assert!(first.recv().await.is_none() && second.recv().await.is_none());
}

#[tokio::test]
async fn a_batch_has_one_stream_that_ends_with_its_last_answer() {
    let (outlet, mut stream) = stream();
    let mut connection = given([request(1, outlet.clone()), request(2, outlet)], Options::default());
    let (a, b) = (exchange(&mut connection).await, exchange(&mut connection).await);
    b.finish(&());
    assert!(stream.recv().await.is_some());
    assert!(!stream.is_finished());
    drop(a);
    let Some(Message::Response(unanswered)) = stream.recv().await else { panic!() };
    assert!(unanswered.is_error());
    assert!(stream.is_finished() && stream.recv().await.is_none());
}

#[tokio::test]
async fn giving_up_cancels_what_runs_and_what_comes_later() {
    let (outlet, stream) = stream();
    let frames = [1, 2, 3, 4].map(|id| request(id, outlet.clone()));
    drop(outlet);
    let mut connection = given(frames, Options::default());
    let mut running = Vec::new();
    for _ in 0..3 {
        running.push(exchange(&mut connection).await);
    }
    assert!(running.iter().all(|exchange| !exchange.responder().is_cancelled()));
    stream.give_up();
    for exchange in &running {
        exchange.responder().cancelled().await;
    }
    assert!(exchange(&mut connection).await.responder().is_cancelled());
}

#[tokio::test]
async fn a_stream_that_is_dropped_cancels_nothing() {
    let (outlet, stream) = stream();
    let mut connection = given([request(1, outlet)], Options::default());
    let running = exchange(&mut connection).await;
    drop(stream);
    assert!(!running.responder().is_cancelled());
    running.finish(&());
    assert_eq!(connection.control().health().dropped, 1);
}

#[tokio::test]
async fn a_cancelled_request_ends_its_stream_without_a_word() {
    let (outlet, mut stream) = stream();
    let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#;
    let frames = [request(1, outlet), Frame::Text(cancel.into())];
    let mut connection = given(frames, Options::default());
    let running = exchange(&mut connection).await;
    assert!(matches!(connection.next().await, Some(Incoming::Notification(..))));
    assert!(running.responder().is_cancelled());
    running.finish(&());
    assert!(stream.recv().await.is_none());
}

#[tokio::test]
async fn where_many_peers_share_a_connection_nobody_reaches_the_others() {
    let (outlet, mut stream) = stream();
    let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#;
    let response = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
    let frames = [request(1, outlet), Frame::Text(cancel.into()), Frame::Text(response.into())];
    let mut connection = given(frames, Options::default().with_sessionless());
    let running = exchange(&mut connection).await;
    let asked = running.responder().caller().request("roots/list", &()).await;
    assert_eq!(asked.unwrap_err().kind(), ErrorKind::Misuse);
    assert!(matches!(connection.next().await, Some(Incoming::Notification(..))));
    assert!(matches!(connection.next().await, Some(Incoming::Response(..))));
    assert!(!running.responder().is_cancelled());
    running.finish(&());
    assert!(stream.recv().await.is_some());
}

#[tokio::test]
async fn one_too_many_is_refused_on_its_own_way() {
    let ((one, _first), (two, mut second)) = (stream(), stream());
    let limits = mcp_transport_core::Limits::default().with_max_in_flight(1);
    let mut connection = given([request(1, one), request(2, two)], Options::default().with_limits(limits));
    let _running = exchange(&mut connection).await;
    let next = connection.next();
    tokio::select! {
        biased;
        _ = next => panic!(),
        refused = second.recv() => {
            let Some(Message::Response(refused)) = refused else { panic!() };
            let mcp_jsonrpc::Outcome::Error(error) = refused.outcome() else { panic!() };
            assert_eq!(error.reason().as_deref(), Some("overloaded"));
        }
    }
    assert!(second.recv().await.is_none());
}

#[tokio::test]
async fn an_outlet_answers_by_itself() {
    let (outlet, mut stream) = stream();
    outlet.answer(Response::result(&Id::from(1), &()).unwrap());
    assert!(stream.recv().await.is_some());
    assert!(stream.recv().await.is_none());
}

fn asks(id: u64, token: &str, outlet: Outlet) -> Frame {
    let params = serde_json::json!({ "_meta": { "progressToken": token } });
    let request = Request::with_params(id, "x", &params).unwrap();
    Frame::Request(request, Arc::new(Context::new("test")), outlet)
}

fn text(message: Message) -> String {
    String::from_utf8(message.into_line().to_vec()).unwrap()
}

/// What goes beside an answer has to go its way, or the answer overtakes it and ends the stream.
#[tokio::test]
async fn a_relay_sorts_what_belongs_to_requests() {
    let ((one, mut first), (two, mut second)) = (stream(), stream());
    let front = given([asks(1, "a", one), asks(2, "b", two)], Options::default());
    let (back, far) = Connection::pair(Options::default(), Options::default());
    tokio::spawn(mcp_transport_core::relay(front, back));
    let mut far = far.spawn();
    let mut exchanges = Vec::new();
    while exchanges.len() < 2 {
        let Some(Incoming::Request(exchange)) = far.receiver.recv().await else { panic!() };
        exchanges.push(exchange);
    }
    for token in ["b", "a", "b"] {
        let params = serde_json::json!({ "progressToken": token, "progress": 1 });
        far.sender.send(Notification::with_params("notifications/progress", &params).unwrap()).await.unwrap();
    }
    let b = exchanges.pop().unwrap();
    b.finish("b");
    // Now there is one left, to which everything else belongs.
    far.sender.send(Notification::new("note")).await.unwrap();
    let caller = mcp_transport_core::Caller::new(&far.sender);
    let asking = tokio::spawn(async move { caller.request("roots/list", &()).await });
    assert!(text(second.recv().await.unwrap()).contains(r#""progressToken":"b""#));
    assert!(text(second.recv().await.unwrap()).contains(r#""progressToken":"b""#));
    assert!(text(second.recv().await.unwrap()).contains(r#""result":"b""#));
    assert!(second.recv().await.is_none());
    assert!(text(first.recv().await.unwrap()).contains(r#""progressToken":"a""#));
    assert!(text(first.recv().await.unwrap()).contains("note"));
    assert!(text(first.recv().await.unwrap()).contains("roots/list"));
    exchanges.pop().unwrap().finish("a");
    assert!(text(first.recv().await.unwrap()).contains(r#""result":"a""#));
    assert!(first.recv().await.is_none());
    asking.abort();
}
