use super::*;
use crate::support::{ALL, bare, full};

#[test]
fn every_record_is_a_log_record_of_one_resource() {
    let lines: Vec<_> = ALL.iter().flat_map(|what| [bare(*what), full(*what, "a text")]).collect();
    let request = request(&lines);
    let logs = &request["resourceLogs"][0];
    let records = logs["scopeLogs"][0]["logRecords"].as_array().unwrap();
    assert_eq!(records.len(), lines.len());
    for (record, line) in records.iter().zip(&lines) {
        assert_eq!(record["timeUnixNano"], (line.at * 1000).to_string());
        assert_eq!(record["eventName"], format!("countersign.{}", line.what.as_str()));
        let attributes = record["attributes"].as_array().unwrap();
        for attribute in attributes {
            let value = attribute["value"].as_object().unwrap();
            assert!(attribute["key"].is_string() && value.len() == 1, "{attribute}");
            // Whole numbers of 64 bits are strings in OTLP's JSON.
            assert!(value.get("intValue").is_none_or(Value::is_string), "{attribute}");
        }
        let index = attributes.iter().find(|a| a["key"] == "countersign.index").unwrap();
        assert_eq!(index["value"]["intValue"], "7");
    }
}
