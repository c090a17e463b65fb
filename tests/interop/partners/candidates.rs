//! Candidates in every form that stacks and libraries give them, and before their description.

use serde_json::{Value, json};
use socketio_p2p_client::direct::{DirectConnection, Signal};

use super::messages::echo;
use crate::interop::Story;
use crate::interop::bare::{Form, Stack};

const FORMS: [Form; 5] =
    [Form::Lines, Form::WithoutMid, Form::WithoutIndex, Form::Texts, Form::Early];

pub(super) async fn are_taken_in_every_form(stack: &mut Stack, role: &str) -> Story {
    for form in FORMS {
        stack.form = form;
        let mut bare = stack.connect(role).await?;
        for end in [json!(null), json!(""), json!({ "candidate": "", "sdpMid": "0" })] {
            is_taken(&bare.connection, &json!({ "type": "candidate", "candidate": end }))?;
            is_taken(&bare.connection, &json!({ "candidate": end }))?;
        }
        is_taken(&bare.connection, &json!({ "type": "candidate" }))?;
        is_taken(&bare.connection, &json!({ "type": "end" }))?;
        echo(&mut bare, "after the end of the candidates".into()).await?;
        bare.connection.close().await;
    }
    stack.form = Form::default();
    Ok(())
}

fn is_taken(connection: &DirectConnection, signal: &Value) -> Story {
    Ok(connection.signal(Signal::from_value(signal)?)?)
}
