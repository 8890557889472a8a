//! Toasts, switched key by key.

use crate::config::file::NotificationTable;
use crate::config::spanned::At;
use crate::route::Notifications;

/// What a table makes of inherited switches.
pub(super) fn over(inherited: Notifications, table: Option<&NotificationTable>) -> Notifications {
    let Some(NotificationTable { success, warning, error, info }) = table else { return inherited };
    let switch = |written: &Option<At<bool>>, inherited| written.as_ref().map_or(inherited, |at| *at.value());
    Notifications {
        success: switch(success, inherited.success),
        warning: switch(warning, inherited.warning),
        error: switch(error, inherited.error),
        info: switch(info, inherited.info),
    }
}
