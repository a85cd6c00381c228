//! How many rows a selection has, in all or under each parent.

use std::collections::HashMap;
use std::hash::Hash;

use sea_orm::sea_query::Expr;
use sea_orm::{ConnectionTrait, EntityTrait, QuerySelect, Select, TryGetable};

use super::StoreError;

/// The rows of a selection.
pub(super) async fn rows<E: EntityTrait>(db: &impl ConnectionTrait, select: Select<E>) -> Result<i64, StoreError> {
    let counted = select.select_only().expr_as(Expr::cust("count(*)"), "count");
    Ok(counted.into_tuple::<i64>().one(db).await?.unwrap_or_default())
}

/// The rows of a selection under each parent; parents without rows are left out.
pub(super) async fn rows_by<E, P>(
    db: &impl ConnectionTrait,
    select: Select<E>,
    parent: E::Column,
) -> Result<HashMap<P, i64>, StoreError>
where
    E: EntityTrait,
    P: Eq + Hash + Send + TryGetable,
{
    let counted = select.select_only().column(parent).expr_as(Expr::cust("count(*)"), "count").group_by(parent);
    Ok(counted.into_tuple::<(P, i64)>().all(db).await?.into_iter().collect())
}
