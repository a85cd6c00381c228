//! Typed ids: a prefix that names the kind, and a ULID (26 characters, Crockford base32, upper case).
//!
//! A newtype per noun, so that a customer's id cannot be asked for as an invoice's. Any text up to 64 characters
//! can be held (a client may ask for anything); making new ids is the business of `domain::ids`.

use sea_orm::{DbErr, DeriveValueType, TryFromU64, sea_query::StringLen};
use serde::{Deserialize, Serialize};

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, DeriveValueType)]
        #[sea_orm(column_type = "String(StringLen::N(64))")]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// What ids of this kind start with, the underscore included.
            pub const PREFIX: &'static str = concat!($prefix, "_");

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFromU64 for $name {
            fn try_from_u64(_: u64) -> Result<Self, DbErr> {
                Err(DbErr::ConvertFromU64(stringify!($name)))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }
    )*};
}

id! {
    /// A tenant: one company whose bills live here.
    TenantId = "ten";
    /// A customer of a tenant.
    CustomerId = "cus";
    /// An invoice.
    InvoiceId = "inv";
    /// A line of an invoice.
    LineItemId = "li";
    /// A line below a line.
    SubLineId = "sli";
    /// A tax row of an invoice.
    TaxId = "tax";
    /// A discount of an invoice or of one of its lines.
    DiscountId = "dis";
    /// A mid-cycle change that an invoice prorates.
    InvoiceChangeId = "chg";
    /// A payment attempt or a refund.
    PaymentId = "pay";
    /// A stored means of payment.
    PaymentMethodId = "pm";
    /// A rental of GPUs.
    RentalId = "rent";
    /// A subscription that invoices are made from.
    SubscriptionId = "sub";
    /// A product.
    ProductId = "prod";
    /// A price of a product.
    PriceId = "price";
    /// An entry of an invoice's history.
    InvoiceEventId = "iev";
    /// A document that was imported.
    SourceDocumentId = "src";
    /// An API key.
    CredentialId = "key";
    /// A session of a customer's browser.
    SessionId = "ses";
}
