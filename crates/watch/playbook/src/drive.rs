//! Takes a run's steps. Whatever stops it in the middle, whoever drives it again takes the same step under the same name.

use countersign_core::Target;

use crate::{Act, Playbook, Told};

/// A run of a playbook.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Run {
    /// Names it: with a step's id it names what the step does, for ever.
    pub id: String,
    /// What set it off.
    pub told: Told,
    /// The step that is next, or in the middle of which it was stopped.
    pub step: String,
    /// It only says what it would do.
    pub dry: bool,
    /// How many people have approved it.
    pub approved: u32,
}

/// How far a run came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reached {
    /// It is over.
    End,
    /// So many people have to approve it.
    Waits(u32),
    /// Somebody declined or undid it.
    Stopped,
}

/// Whether a step may begin.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Begun {
    /// It may, or it had begun before.
    Go,
    /// As many have been harmed as may be without a person.
    Over,
    /// Somebody declined or undid the run.
    Stopped,
}

/// What a run needs of the world outside. Each of these is durable when it returns.
pub trait World {
    /// Why the world failed; the run goes on later, from the same step.
    type Error;

    /// Says that a step is about to be taken. Where it `harms`, and nobody approved the run, it is counted.
    fn begin(
        &self,
        run: &Run,
        step: &str,
        what: &str,
        harms: bool,
    ) -> impl Future<Output = Result<Begun, Self::Error>> + Send;

    /// Does it; what came of it. Done again under the same run and step it changes nothing.
    fn act(
        &self,
        run: &Run,
        step: &str,
        act: &Act,
        target: &Target,
    ) -> impl Future<Output = Result<String, Self::Error>> + Send;

    /// Keeps what came of it.
    fn end(&self, run: &Run, step: &str, outcome: &str) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Keeps which step is next; false when somebody stopped the run.
    fn moved(&self, run: &Run, next: &str) -> impl Future<Output = Result<bool, Self::Error>> + Send;

    /// Keeps where the run came to.
    fn reached(&self, run: &Run, reached: Reached) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// Drives a run until it is over, waits for people, or the world fails.
///
/// # Errors
/// The world's. The run may be driven again.
pub async fn drive<W: World + Sync>(world: &W, playbook: &Playbook, mut run: Run) -> Result<Reached, W::Error> {
    // What this release has no word for is left to people; nothing is done to somebody else instead.
    let Some(target) = run.told.target() else {
        world.reached(&run, Reached::Waits(1)).await?;
        return Ok(Reached::Waits(1));
    };
    while let Some(planned) = playbook.from(&run.step, &run.told) {
        let people = planned.act.people(&target);
        if people > run.approved && !run.dry {
            world.reached(&run, Reached::Waits(people)).await?;
            return Ok(Reached::Waits(people));
        }
        let what = planned.act.what();
        match world.begin(&run, planned.id, &what, planned.act.harms() && !run.dry).await? {
            Begun::Go => {}
            Begun::Over => {
                world.reached(&run, Reached::Waits(1)).await?;
                return Ok(Reached::Waits(1));
            }
            Begun::Stopped => return Ok(Reached::Stopped),
        }
        let outcome = match (run.dry, people) {
            (false, _) => world.act(&run, planned.id, planned.act, &target).await?,
            (true, 0) => format!("dry run: would {what}"),
            (true, people) => format!("dry run: would {what}, once {people} people approve"),
        };
        world.end(&run, planned.id, &outcome).await?;
        if !world.moved(&run, planned.next).await? {
            return Ok(Reached::Stopped);
        }
        planned.next.clone_into(&mut run.step);
    }
    world.reached(&run, Reached::End).await?;
    Ok(Reached::End)
}

#[cfg(test)]
mod tests;
