//! Many loads, one statement: the only file that names the `dataloader` crate.
//!
//! A [`Batch`] collects the keys that are asked for while the executor still makes progress, reads them at once
//! through the crate's cached loader, and hands every caller its own value. What the crate leaves open is settled
//! here, each point held by a test below:
//!
//! - **When to read.** Whoever asks first leads a round: it yields a few times, so that everyone who can ask does, and
//!   then reads. The executor must run inside [`unconstrained`], or the runtime's own budget splits rounds.
//! - **Waking the others.** The crate holds its lock while it reads and hands it from caller to caller afterwards, so
//!   that they go on one after the other and split the level below (measured: 3 statements for the sub lines of 60
//!   invoices). Here they wait for the round and wake together.
//! - **Losing the leader.** A caller is dropped when a required sibling fails. The others still wait for its round, so
//!   an unfinished round goes on in a task of its own (and only then: a task for every round would split them).
//! - **Answering every key.** A key that the read left out has the default (nothing); a failure is a value too.

use std::collections::HashMap;
use std::fmt::Debug;
use std::future::Future;
use std::hash::Hash;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use dataloader::BatchFn;
use dataloader::cached::Loader;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use tokio::sync::oneshot;

/// Yields before a round is read. One or two split the deeper levels of a page; five never did.
const YIELDS: usize = 5;

/// Keys that the crate reads at once; beyond, it would read in the middle of a round. Far above what a page asks for.
const KEYS_MAX: usize = 1_000_000;

/// What a batch gives for one key. Failures are shared by all keys of the batch.
type Loaded<V, E> = Result<V, Arc<E>>;

/// Why a value could not be loaded.
#[derive(Debug)]
pub enum LoadError<E> {
    /// The read failed.
    Read(Arc<E>),
    /// The batch was lost: a defect, or the runtime is stopping.
    Lost,
}

impl<E> Clone for LoadError<E> {
    fn clone(&self) -> Self {
        match self {
            Self::Read(error) => Self::Read(Arc::clone(error)),
            Self::Lost => Self::Lost,
        }
    }
}

/// Runs an executor whose loads are to be batched.
pub async fn unconstrained<F: Future>(executor: F) -> F::Output {
    tokio::task::unconstrained(executor).await
}

/// One relation of one request. Values are kept until the request ends, so the same key is read once.
pub struct Batch<K, V, E>
where
    K: Eq + Hash + Clone + Debug + Send + Sync + 'static,
    V: Clone + Default + Send + Sync + 'static,
    E: Send + Sync + 'static,
{
    shared: Arc<Relation<K, V, E>>,
}

/// What the callers of one relation share.
struct Relation<K, V, E>
where
    K: Eq + Hash + Clone + Debug + Send + Sync + 'static,
    V: Clone + Default + Send + Sync + 'static,
    E: Send + Sync + 'static,
{
    loader: Loader<K, Loaded<V, E>, Read<K, V, E>>,
    rounds: Mutex<Rounds<K, V, E>>,
}

/// The round that every key belongs to, and the keys of the one that is still open.
struct Rounds<K, V, E> {
    of_key: HashMap<K, Round<K, V, E>>,
    open: Option<(Round<K, V, E>, Vec<K>)>,
}

/// The values of a round, once it is read.
type Round<K, V, E> = Shared<oneshot::Receiver<Values<K, V, E>>>;

/// What the leader of a round ends it with.
type Lead<K, V, E> = oneshot::Sender<Values<K, V, E>>;

/// A round, and its lead for whoever opened it.
type Joined<K, V, E> = (Round<K, V, E>, Option<Lead<K, V, E>>);

type Values<K, V, E> = Arc<HashMap<K, Loaded<V, E>>>;

/// The one concrete batch function; boxed, because the crate's own trait does not promise a `Send` future.
struct Read<K, V, E> {
    read: ReadFn<K, V, E>,
}

type ReadFn<K, V, E> = Arc<dyn Fn(Vec<K>) -> BoxFuture<'static, Result<HashMap<K, V>, E>> + Send + Sync>;

impl<K, V, E> BatchFn<K, Loaded<V, E>> for Read<K, V, E>
where
    K: Eq + Hash + Clone + Debug + Send + Sync + 'static,
    V: Clone + Default + Send + Sync + 'static,
    E: Send + Sync + 'static,
{
    async fn load(&mut self, keys: &[K]) -> HashMap<K, Loaded<V, E>> {
        match (self.read)(keys.to_vec()).await {
            Ok(mut found) => keys.iter().map(|key| (key.clone(), Ok(found.remove(key).unwrap_or_default()))).collect(),
            Err(error) => {
                let error = Arc::new(error);
                keys.iter().map(|key| (key.clone(), Err(Arc::clone(&error)))).collect()
            }
        }
    }
}

impl<K, V, E> Batch<K, V, E>
where
    K: Eq + Hash + Clone + Debug + Send + Sync + 'static,
    V: Clone + Default + Send + Sync + 'static,
    E: Send + Sync + 'static,
{
    /// A relation that is read by `read`: one call for all keys, which leaves out those it has nothing for.
    pub fn new<R, F>(read: R) -> Self
    where
        R: Fn(Vec<K>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<HashMap<K, V>, E>> + Send + 'static,
    {
        let read = Read { read: Arc::new(move |keys| Box::pin(read(keys))) };
        let loader = Loader::new(read).with_yield_count(0).with_max_batch_size(KEYS_MAX);
        let rounds = Mutex::new(Rounds { of_key: HashMap::new(), open: None });
        Self { shared: Arc::new(Relation { loader, rounds }) }
    }

    /// The value of `key`, read together with every other key asked for meanwhile.
    ///
    /// # Errors
    /// [`LoadError`], the same for every key of the round.
    pub async fn load(&self, key: K) -> Result<V, LoadError<E>> {
        let (round, lead) = self.shared.join(&key);
        if let Some(done) = lead {
            let relation = Arc::clone(&self.shared);
            let reading = Box::pin(async move { relation.read_round(done).await });
            Rescued(Some(reading)).await;
        }
        match round.await.map(|values| values.get(&key).cloned()) {
            Ok(Some(Ok(value))) => Ok(value),
            Ok(Some(Err(error))) => Err(LoadError::Read(error)),
            Ok(None) | Err(_) => Err(LoadError::Lost),
        }
    }
}

impl<K, V, E> Relation<K, V, E>
where
    K: Eq + Hash + Clone + Debug + Send + Sync + 'static,
    V: Clone + Default + Send + Sync + 'static,
    E: Send + Sync + 'static,
{
    /// The round of `key`, and what the caller ends it with if the caller is the one who leads it.
    fn join(&self, key: &K) -> Joined<K, V, E> {
        let mut rounds = self.rounds();
        if let Some(round) = rounds.of_key.get(key) {
            return (round.clone(), None);
        }
        let (round, lead) = if let Some((round, keys)) = &mut rounds.open {
            keys.push(key.clone());
            (round.clone(), None)
        } else {
            let (done, values) = oneshot::channel();
            let round = values.shared();
            rounds.open = Some((round.clone(), vec![key.clone()]));
            (round, Some(done))
        };
        rounds.of_key.insert(key.clone(), round.clone());
        (round, lead)
    }

    /// Waits for others to join, closes the round and reads it.
    async fn read_round(&self, done: Lead<K, V, E>) {
        for _ in 0..YIELDS {
            tokio::task::yield_now().await;
        }
        let keys = self.rounds().open.take().map(|(_, keys)| keys).unwrap_or_default();
        // Every round of this level is closed before any is read: a read that ends at once may ask for the next level.
        tokio::task::yield_now().await;
        let values = self.loader.try_load_many(keys).await.unwrap_or_default();
        // Fails when nobody waits any more, which is nobody's loss.
        let _nobody_waits = done.send(Arc::new(values));
    }

    fn rounds(&self) -> MutexGuard<'_, Rounds<K, V, E>> {
        self.rounds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A round that goes on in a task of its own when its leader is dropped, since others wait for it.
struct Rescued<F: Future<Output: Send> + Send + 'static>(Option<Pin<Box<F>>>);

impl<F: Future<Output: Send> + Send + 'static> Future for Rescued<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        // Taken out meanwhile, so that work which panics is not handed on.
        let Some(mut work) = self.0.take() else {
            return Poll::Pending;
        };
        let polled = work.as_mut().poll(cx);
        if polled.is_pending() {
            self.0 = Some(work);
        }
        polled
    }
}

impl<F: Future<Output: Send> + Send + 'static> Drop for Rescued<F> {
    fn drop(&mut self) {
        // Without a runtime nobody is left to wait either.
        if let (Some(work), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(work);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use futures::future::{join_all, try_join_all};

    use super::*;

    type Calls = Arc<Mutex<Vec<usize>>>;

    /// A relation that doubles its keys after `delay`, and notes how many it was asked for.
    fn doubling(calls: &Calls, delay: Duration) -> Arc<Batch<u32, Option<u32>, &'static str>> {
        let calls = Arc::clone(calls);
        Arc::new(Batch::new(move |keys: Vec<u32>| {
            let calls = Arc::clone(&calls);
            async move {
                calls.lock().unwrap().push(keys.len());
                tokio::time::sleep(delay).await;
                if keys.contains(&13) {
                    return Err("thirteen");
                }
                Ok(keys.into_iter().filter(|key| *key != 7).map(|key| (key, Some(key * 2))).collect())
            }
        }))
    }

    #[tokio::test]
    async fn keys_asked_for_together_are_read_together_and_once() {
        let calls = Calls::default();
        let batch = doubling(&calls, Duration::ZERO);
        let loads = unconstrained(join_all((0..20_u32).map(|n| batch.load(n % 5)))).await;
        assert_eq!(loads.len(), 20);
        assert!(loads.into_iter().zip(0..).all(|(value, n)| value.unwrap() == Some(n % 5 * 2)));
        assert_eq!(*calls.lock().unwrap(), [5]);
        assert_eq!(batch.load(3).await.unwrap(), Some(6));
        assert_eq!(*calls.lock().unwrap(), [5], "a known key is not read again");
    }

    #[tokio::test]
    async fn every_key_is_answered_also_those_with_nothing() {
        let batch = doubling(&Calls::default(), Duration::ZERO);
        let loads = unconstrained(join_all([7, 8].map(|n| batch.load(n)))).await;
        let values: Vec<_> = loads.into_iter().map(Result::unwrap).collect();
        assert_eq!(values, [None, Some(16)]);
    }

    #[tokio::test]
    async fn a_failed_read_is_the_same_error_for_every_key() {
        let batch = doubling(&Calls::default(), Duration::ZERO);
        for load in unconstrained(join_all([12, 13, 14].map(|n| batch.load(n)))).await {
            assert!(matches!(load, Err(LoadError::Read(error)) if *error == "thirteen"));
        }
    }

    #[tokio::test]
    async fn three_nested_levels_cost_one_read_each_whatever_their_width() {
        for width in [3, 250] {
            let calls: [Calls; 3] = std::array::from_fn(|_| Calls::default());
            let levels: Vec<_> = calls.iter().map(|calls| doubling(calls, Duration::from_micros(300))).collect();
            let parents = (0..100_u32).map(|parent| {
                let (first, second, third) = (levels[0].clone(), levels[1].clone(), levels[2].clone());
                async move {
                    first.load(parent + 100).await.unwrap();
                    let children = (0..width).map(|child| {
                        let (second, third) = (second.clone(), third.clone());
                        async move {
                            second.load(1_000 + (parent * width + child) % 5_000).await.unwrap();
                            third.load(1_000 + child).await.unwrap()
                        }
                    });
                    join_all(children).await
                }
            });
            unconstrained(join_all(parents)).await;
            let reads: Vec<_> = calls.iter().map(|calls| calls.lock().unwrap().len()).collect();
            assert_eq!(reads, [1, 1, 1], "{width} children of 100 parents");
        }
    }

    #[tokio::test]
    async fn a_failing_sibling_does_not_take_the_others_values_away() {
        let calls = Calls::default();
        let batch = doubling(&calls, Duration::from_millis(20));
        // The first branch runs the batch for all, and is dropped when its sibling fails in the middle of it.
        let doomed = {
            let batch = batch.clone();
            async move {
                let load = async {
                    batch.load(1).await.unwrap();
                    Ok::<(), &str>(())
                };
                let failure = async {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    Err::<(), _>("required and absent")
                };
                futures::future::try_join(load, failure).await
            }
        };
        let others = try_join_all((100..200_u32).map(|n| batch.load(n)));
        let (doomed, others) = unconstrained(futures::future::join(doomed, others)).await;
        assert!(doomed.is_err());
        let values: Vec<_> = others.unwrap().into_iter().flatten().collect();
        assert_eq!(values, (100..200).map(|n| n * 2).collect::<Vec<_>>());
        assert_eq!(*calls.lock().unwrap(), [101]);
    }

    #[tokio::test]
    async fn a_load_that_was_never_polled_is_simply_dropped() {
        let calls = Calls::default();
        let batch = doubling(&calls, Duration::ZERO);
        drop(batch.load(1));
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert!(calls.lock().unwrap().is_empty());
    }
}
