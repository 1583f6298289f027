//! Who decides when there are several.
#![allow(clippy::unwrap_used, reason = "helpers of tests panic")]

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use http::header::{HeaderValue, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{Request, StatusCode};
use mcp_http::{AnyOf, Authenticate, Presented, Refusal, Reply, bearer_token};
use mcp_transport_core::{BoxFuture, Principal};
use tokio::sync::Notify;

/// Finds one kind, and always says the same.
struct Says {
    name: &'static str,
    finds: Presented,
    says: Answer,
    asked: Arc<Mutex<Vec<&'static str>>>,
}

#[derive(Clone, Copy)]
enum Answer {
    Yes,
    Anybody,
    /// With a challenge, if it has one.
    No(u16, &'static str),
}

impl Authenticate for Says {
    fn authenticate<'a>(&'a self, _: &'a Parts) -> BoxFuture<'a, Result<Option<Principal>, Refusal>> {
        self.asked.lock().unwrap().push(self.name);
        let said = match self.says {
            Answer::Yes => Ok(Some(Principal::new(self.name))),
            Answer::Anybody => Ok(None),
            Answer::No(status, challenge) => {
                let refusal = Refusal::new(StatusCode::from_u16(status).unwrap(), self.name);
                let challenge = Some(challenge).filter(|challenge| !challenge.is_empty());
                Err(challenge.into_iter().fold(refusal, |refusal, challenge| {
                    refusal.with_header(WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
                }))
            }
        };
        Box::pin(std::future::ready(said))
    }

    fn finds(&self, _: &Parts) -> Presented {
        self.finds
    }
}

/// Who it is (`-` for anybody), or status and text of the refusal and its challenges; and who was asked.
async fn judged(all: &[(Presented, Answer)]) -> (String, Vec<&'static str>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let says =
        ["a", "b", "c", "d"].into_iter().zip(all).map(|(name, (finds, says))| -> Arc<dyn Authenticate> {
            Arc::new(Says { name, finds: *finds, says: *says, asked: asked.clone() })
        });
    let any = says.fold(None, |any: Option<AnyOf>, next| {
        Some(any.map_or_else(|| AnyOf::new(next.clone()), |any| any.or(next.clone())))
    });
    let parts = Request::get("/").body(()).unwrap().into_parts().0;
    let said = match any.unwrap().authenticate(&parts).await {
        Ok(principal) => principal.map_or("-".to_owned(), |principal| principal.as_str().to_owned()),
        Err(refusal) => {
            let (status, text) = (refusal.status().as_u16(), refusal.text());
            let reply = Reply::from(refusal);
            let challenges =
                reply.headers().get_all(WWW_AUTHENTICATE).iter().map(|value| value.to_str().unwrap());
            format!("{status} {text} {}", challenges.collect::<Vec<_>>().join("|"))
        }
    };
    let asked = asked.lock().unwrap().clone();
    (said, asked)
}

/// What each finds and says; what is answered; who is asked.
type Line = (&'static [(Presented, Answer)], &'static str, &'static [&'static str]);

#[tokio::test]
async fn who_is_asked_and_what_is_answered() {
    use Answer::{Anybody, No, Yes};
    use Presented::{Bearer, Certificate, None as Nothing, Own};
    let table: &[Line] = &[
        // One of them is as if it stood alone.
        (&[(Bearer, Yes)], "a", &["a"]),
        (&[(Nothing, No(401, "A"))], "401 a A", &["a"]),
        (&[(Nothing, Anybody)], "-", &["a"]),
        (&[(Own, Anybody)], "-", &["a"]),
        // Whoever finds something decides; who does not is not asked.
        (&[(Nothing, No(401, "A")), (Certificate, Yes)], "b", &["b"]),
        (&[(Nothing, Yes), (Certificate, No(403, ""))], "403 b ", &["b"]),
        (&[(Bearer, Yes), (Certificate, No(403, ""))], "a", &["a"]),
        (&[(Certificate, No(403, "")), (Bearer, Yes)], "403 a ", &["a"]),
        // What is not accepted is made up for by nobody.
        (&[(Bearer, No(401, "A")), (Nothing, Anybody)], "401 a A", &["a"]),
        (&[(Nothing, Anybody), (Bearer, No(401, "A"))], "401 b A", &["b"]),
        (&[(Bearer, No(401, "A")), (Certificate, Yes)], "401 a A", &["a"]),
        (&[(Bearer, No(400, "A")), (Certificate, Yes), (Own, Yes), (Nothing, Yes)], "400 a A", &["a"]),
        (&[(Bearer, No(401, "A")), (Bearer, Anybody)], "401 a A", &["a", "b"]),
        (&[(Bearer, Anybody), (Bearer, No(401, "A"))], "401 b A", &["a", "b"]),
        // Two kinds of tokens in one place.
        (&[(Bearer, No(401, "A")), (Bearer, Yes)], "b", &["a", "b"]),
        (&[(Bearer, Yes), (Bearer, No(401, "A"))], "a", &["a"]),
        (&[(Bearer, No(401, "A")), (Certificate, Yes), (Bearer, Yes)], "c", &["a", "c"]),
        (&[(Bearer, No(401, "A")), (Bearer, No(401, "B"))], "401 a A|B", &["a", "b"]),
        (&[(Bearer, No(401, "A")), (Bearer, No(401, "A"))], "401 a A", &["a", "b"]),
        // One that knew the token, or could not find out, says more than one that did not know it.
        (&[(Bearer, No(401, "A")), (Bearer, No(403, "B"))], "403 b B", &["a", "b"]),
        (&[(Bearer, No(403, "A")), (Bearer, No(401, "B"))], "403 a A", &["a", "b"]),
        (
            &[(Bearer, No(401, "A")), (Bearer, No(503, "")), (Bearer, No(403, "C"))],
            "503 b ",
            &["a", "b", "c"],
        ),
        // What is somebody's own is nobody else's.
        (&[(Own, No(401, "A")), (Own, Yes)], "401 a A", &["a"]),
        (&[(Own, No(401, "A")), (Bearer, Yes)], "401 a A", &["a"]),
        (&[(Nothing, Yes), (Own, No(401, "B")), (Own, Yes)], "401 b B", &["b"]),
        // Nothing at all: all of them say what they need.
        (&[(Nothing, No(401, "A")), (Nothing, No(401, "B"))], "401 a A|B", &["a", "b"]),
        (
            &[(Nothing, No(401, "A")), (Nothing, No(401, "A")), (Nothing, No(401, "C"))],
            "401 a A|C",
            &["a", "b", "c"],
        ),
        (&[(Nothing, No(403, "")), (Nothing, No(401, "B"))], "401 b B", &["a", "b"]),
        (&[(Nothing, No(401, "A")), (Nothing, No(403, ""))], "401 a A", &["a", "b"]),
        (&[(Nothing, No(403, "")), (Nothing, No(403, ""))], "403 a ", &["a", "b"]),
        (&[(Nothing, No(401, "A")), (Nothing, Anybody), (Nothing, No(401, "C"))], "-", &["a", "b"]),
        (&[(Nothing, No(401, "A")), (Nothing, Yes)], "b", &["a", "b"]),
    ];
    for (at, (all, said, asked)) in table.iter().enumerate() {
        assert_eq!(judged(all).await, ((*said).to_owned(), asked.to_vec()), "line {at}");
    }
}

#[tokio::test]
async fn a_list_in_a_list_is_of_the_kind_that_decides_in_it() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let says = |name, finds, says| Arc::new(Says { name, finds, says, asked: asked.clone() });
    let parts = Request::get("/").body(()).unwrap().into_parts().0;
    let inner = AnyOf::new(says("a", Presented::None, Answer::Anybody));
    assert_eq!(inner.finds(&parts), Presented::None);
    let inner = inner.or(says("b", Presented::Bearer, Answer::No(401, "B")));
    assert_eq!(inner.finds(&parts), Presented::Bearer);
    let outer = AnyOf::new(Arc::new(inner)).or(says("c", Presented::Certificate, Answer::Yes));
    assert_eq!(outer.authenticate(&parts).await.unwrap_err().status(), 401);
    let outer = outer.or(says("d", Presented::Bearer, Answer::Yes));
    assert_eq!(outer.authenticate(&parts).await.unwrap().unwrap().as_str(), "d");
    assert_eq!(*asked.lock().unwrap(), ["b", "b", "d"]);
}

#[test]
fn a_bearer_token_is_found_good_or_bad() {
    for (value, target, found) in [
        (None, "/", Presented::None),
        (Some("Basic abc"), "/", Presented::None),
        (Some("Bearer abc"), "/", Presented::Bearer),
        (Some("Bearer"), "/", Presented::Bearer),
        (Some("Bearer a b"), "/", Presented::Bearer),
        (None, "/?access_token=abc", Presented::Bearer),
    ] {
        let request = value
            .into_iter()
            .fold(Request::get(target), |request, value| request.header("authorization", value));
        let parts = request.body(()).unwrap().into_parts().0;
        assert_eq!(Presented::bearer(&parts), found, "{value:?} {target}");
        assert_eq!(bearer_token(&parts) == Ok(None), found == Presented::None);
    }
}

/// Waits for ever, and notes when it is given up.
struct Waits {
    begun: Notify,
    given_up: AtomicUsize,
}

impl Authenticate for Waits {
    fn authenticate<'a>(&'a self, _: &'a Parts) -> BoxFuture<'a, Result<Option<Principal>, Refusal>> {
        struct Noted<'a>(&'a AtomicUsize);
        impl Drop for Noted<'_> {
            fn drop(&mut self) {
                self.0.fetch_add(1, SeqCst);
            }
        }
        Box::pin(async {
            let _noted = Noted(&self.given_up);
            self.begun.notify_one();
            std::future::pending().await
        })
    }
}

#[tokio::test]
async fn dropping_it_drops_whoever_is_asked() {
    let waits = Arc::new(Waits { begun: Notify::new(), given_up: AtomicUsize::new(0) });
    let any = AnyOf::new(waits.clone());
    let parts = Request::get("/").body(()).unwrap().into_parts().0;
    tokio::select! {
        biased;
        _ = any.authenticate(&parts) => unreachable!(),
        () = waits.begun.notified() => {}
    }
    assert_eq!(waits.given_up.load(SeqCst), 1);
}
