//! How many single rows a second a runtime answers: `load SOCKET IN_FLIGHT SECONDS [STREAMS]`.
//!
//! It speaks to one that is already serving, see `serve.rs`, over the given number of streams, each with so
//! many requests in flight, of 512 different rows. Prints requests a second and percentiles of the latency.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use spec::frame::{Decoder, Frame, Hello, Id, Writer};

type Failed = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    match measure() {
        Ok(line) => {
            let _ = std::io::stdout().write_all(line.as_bytes());
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = std::io::stderr().write_all(format!("{error}\n").as_bytes());
            ExitCode::FAILURE
        }
    }
}

fn measure() -> Result<String, Failed> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [socket, in_flight, seconds, rest @ ..] = arguments.as_slice() else {
        return Err("usage: load SOCKET IN_FLIGHT SECONDS [STREAMS]".into());
    };
    let (in_flight, seconds): (usize, u64) = (in_flight.parse()?, seconds.parse()?);
    let n_streams = rest.first().map_or(Ok(1), |n| n.parse::<usize>())?;
    let started = Instant::now();
    let until = started + Duration::from_secs(seconds);
    let streams: Vec<_> = (0..n_streams)
        .map(|_| {
            let socket = socket.clone();
            std::thread::spawn(move || drive(&socket, in_flight, until))
        })
        .collect();
    let mut latencies = Vec::new();
    for stream in streams {
        latencies.extend(stream.join().map_err(|_| "a stream panicked")??);
    }
    let took = started.elapsed().as_secs_f64();
    latencies.sort_unstable();
    let at =
        |share: f64| latencies.get((latencies.len() as f64 * share) as usize).copied().unwrap_or_default();
    Ok(format!(
        "{:.0} requests/s, {in_flight} in flight on each of {n_streams} streams; p50 {} us, p99 {} us\n",
        latencies.len() as f64 / took,
        at(0.5).as_micros(),
        at(0.99).as_micros()
    ))
}

/// Keeps `in_flight` requests under way; whatever was answered by one read is asked anew by one write.
fn drive(socket: &str, in_flight: usize, until: Instant) -> Result<Vec<Duration>, Failed> {
    let mut stream = UnixStream::connect(socket)?;
    let (mut decoder, mut scratch, mut out) = (Decoder::new(), vec![0; 256 * 1024], Vec::new());
    let hello = loop {
        if let Some(Frame::Hello(hello)) = decoder.next_frame()? {
            break hello;
        }
        let n = stream.read(&mut scratch)?;
        decoder.push(&scratch[..n]);
    };
    let rows = rows(&hello)?;
    let mut sent = vec![Instant::now(); in_flight];
    for slot in 0..in_flight {
        ask(&mut out, &hello, slot, &rows[slot % rows.len()])?;
    }
    stream.write_all(&out)?;
    let (mut latencies, mut waiting) = (Vec::with_capacity(1 << 20), in_flight);
    while waiting > 0 {
        let n = stream.read(&mut scratch)?;
        decoder.push(&scratch[..n]);
        out.clear();
        let now = Instant::now();
        while let Some(frame) = decoder.next_frame()? {
            let Frame::Answer(answer) = frame else { return Err("a request was refused".into()) };
            let slot = answer.id.slot as usize;
            latencies.push(now.duration_since(sent[slot]));
            if now < until {
                sent[slot] = now;
                ask(&mut out, &hello, slot, &rows[latencies.len() % rows.len()])?;
            } else {
                waiting -= 1;
            }
        }
        stream.write_all(&out)?;
    }
    Ok(latencies)
}

fn ask(out: &mut Vec<u8>, hello: &Hello, slot: usize, row: &[u8]) -> Result<(), Failed> {
    let id = Id { slot: u32::try_from(slot)?, generation: 0 };
    let width = hello.inputs[0].row_elements().unwrap_or(1);
    let mut writer = Writer::infer(out, id, None);
    writer.tensor(0, hello.inputs[0].datatype, &[1, width], row)?;
    Ok(writer.finish()?)
}

/// 512 rows of numbers from 0 to 16, as scanned digits have them.
fn rows(hello: &Hello) -> Result<Vec<Vec<u8>>, Failed> {
    let width = hello.inputs[0].row_elements().ok_or("the rows of the first input have no fixed length")?;
    let value = |row: usize, column: usize| ((row * 7919 + column * 104_729) % 17) as f32;
    Ok((0..512).map(|row| (0..width).flat_map(|column| value(row, column).to_le_bytes()).collect()).collect())
}
