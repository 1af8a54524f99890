//! Every way in which a program of C draws entropy, recorded and given again: a program that uses each of them.

use std::process::Command;

use serde_json::Value;

use crate::reenact::Home;

/// Draws from each source once, in itself, in a thread, in children and in what they become.
const PROGRAM: &str = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void show(const char *source, unsigned char *bytes, int n) {
    printf("%s ", source);
    for (int i = 0; i < n; i++) printf("%02x", bytes[i]);
    puts("");
    fflush(stdout);
    memset(bytes, 0, n);
}

static void *in_a_thread(void *name) {
    unsigned char bytes[8];
    getrandom(bytes, 8, 0);
    show(name, bytes, 8);
    return 0;
}

int main(int n_arguments, char **arguments) {
    unsigned char bytes[8] = {0};
    getrandom(bytes, 8, 0);
    show("getrandom", bytes, 8);
    if (n_arguments > 1) return 0;
    getentropy(bytes, 8);
    show("getentropy", bytes, 8);
    syscall(SYS_getrandom, bytes, 8, 0);
    show("syscall", bytes, 8);
    if (syscall(SYS_gettid) != getpid() || syscall(SYS_close, 999) != -1) return 1;
    int device = open("/dev/urandom", O_RDONLY);
    read(device, bytes, 8);
    show("open, read", bytes, 8);
    close(device);
    device = open("/dev/null", O_RDONLY);
    if (read(device, bytes, 8) != 0) return 2;
    FILE *stream = fopen("/dev/random", "r");
    fread(bytes, 2, 4, stream);
    show("fopen, fread", bytes, 8);
    fclose(stream);
    pthread_t thread;
    for (int i = 0; i < 2; i++) {
        pthread_create(&thread, 0, in_a_thread, "thread");
        pthread_join(thread, 0);
    }
    for (int i = 0; i < 2; i++) {
        pid_t child = fork();
        if (child == 0) {
            in_a_thread("fork");
            _exit(0);
        }
        waitpid(child, 0, 0);
        child = vfork();
        if (child == 0) {
            execl(arguments[0], arguments[0], "again", (char *)0);
            _exit(1);
        }
        waitpid(child, 0, 0);
    }
    char command[4096];
    snprintf(command, sizeof command, "%s again; %s again", arguments[0], arguments[0]);
    return system(command);
}
"#;

#[test]
fn every_source_of_entropy_is_given_again() {
    let home = Home::new();
    compile(&home, "sources", PROGRAM, &[]);

    let first = home.run(&["record", "-o", "first", "--", "./sources"]);
    let second = home.run(&["record", "-o", "second", "--", "./sources"]);
    let (lines, others): (Vec<_>, Vec<_>) = (first.stdout.lines().collect(), second.stdout.lines().collect());
    assert!(first.code == Some(0) && lines.len() == 13 && lines.len() == others.len(), "{first}");
    for (line, other) in lines.iter().zip(&others) {
        assert_ne!(line, other, "it is the same natively, so giving it again would prove nothing");
    }
    let replayed = home.run(&["replay", "first", "-o", "again"]);
    assert!(replayed.code == Some(0) && replayed.stdout.starts_with(&first.stdout), "{first}\n{replayed}");
}

/// Compiles a program or a library of C.
fn compile(home: &Home, name: &str, code: &str, flags: &[&str]) {
    let source = format!("{name}.c");
    home.write(&source, code);
    let mut compiler = Command::new("cc");
    compiler.args(["-O1", "-w", "-pthread", "-o", name, &source]).args(flags);
    assert!(compiler.current_dir(home.path()).status().unwrap().success());
}

/// The counts of a record.
fn entropy(home: &Home, name: &str) -> Value {
    let text = std::fs::read(home.path().join(name).join("capsule.json")).unwrap();
    serde_json::from_slice::<Value>(&text).unwrap()["entropy"].take()
}

const DEVICES: &str = r#"
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static void show(int device) {
    unsigned char bytes[8];
    if (read(device, bytes, 8) != 8) _exit(1);
    for (int i = 0; i < 8; i++) printf("%02x", bytes[i]);
    puts("");
}

int main() {
    unsigned long number;
    show(0);
    fread(&number, 8, 1, stdin);
    printf("%lx\n", number);
    int device = open("/dev/urandom", O_RDONLY), high = 200;
    show(dup(device));
    show(dup2(device, high));
    show(fcntl(device, F_DUPFD, 100));
    close(high);
    return open("/dev/null", O_RDONLY) < 0 || dup2(open("/dev/null", O_RDONLY), 100) != 100 || read(100, &number, 8) != 0;
}
"#;

#[test]
fn a_random_device_is_seen_where_it_was_inherited_or_has_another_number() {
    let home = Home::new();
    compile(&home, "devices", DEVICES, &[]);
    let command = format!("{} < /dev/urandom", home.path().canonicalize().unwrap().join("devices").display());
    let recorded = home.run(&["record", "-o", "first", "--", "sh", "-c", &command]);
    assert!(recorded.code == Some(0) && recorded.stdout.lines().count() == 5, "{recorded}");
    let replayed = home.run(&["replay", "first", "-o", "again"]);
    assert!(
        replayed.code == Some(0) && replayed.stdout.starts_with(&recorded.stdout),
        "{recorded}\n{replayed}"
    );
}

/// A library into which one of cryptography was linked, as its files say.
const TRANSPORT: &str = r#"
#include <sys/random.h>
#include <unistd.h>
__attribute__((used)) static const char made_with[] = "compiled with BoringSSL inside";
unsigned long key(void) { unsigned long key; getrandom(&key, 8, 0); return key + (made_with[0] == 0); }
unsigned long other(void) { unsigned long key; getentropy(&key, 8); return key; }
"#;

const CALLER: &str = r#"
#include <stdio.h>
#include <sys/random.h>
extern unsigned long key(void), other(void);
int main() {
    unsigned long own;
    getrandom(&own, 8, 0);
    printf("%lx\n%lx\n%lx\n", own, key(), other());
}
"#;

#[test]
fn what_is_drawn_by_cryptography_inside_of_another_library_is_left_to_it() {
    let home = Home::new();
    for (library, n_passed) in [("transport.so", 2), ("libpython3.so", 1)] {
        compile(&home, library, TRANSPORT, &["-shared", "-fPIC"]);
        compile(&home, "caller", CALLER, &[home.path().join(library).to_str().unwrap()]);
        let recorded = home.run(&["record", "-o", &format!("{library}-a"), "--", "./caller"]);
        assert_eq!(entropy(&home, &format!("{library}-a"))["n_passed"], n_passed, "{recorded}");
        let replayed = home.run(&["replay", &format!("{library}-a"), "-o", &format!("{library}-b")]);
        let both = recorded.stdout.lines().zip(replayed.stdout.lines());
        let are_equal: Vec<bool> = both.map(|(recorded, replayed)| recorded == replayed).collect();
        // An interpreter draws for its scripts too, by another function than the cryptography in it.
        assert_eq!(are_equal[..3], [true, n_passed == 1, false], "{recorded}\n{replayed}");
    }
}

/// More threads than are known at one time, one after the other, and two programs past the hooks.
const THREADS: &str = r#"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

static void *draw(void *sum) {
    unsigned long drawn;
    getrandom(&drawn, 8, 0);
    *(unsigned long *)sum += drawn;
    return 0;
}

int main(int n_arguments, char **arguments) {
    unsigned long sum = 0;
    pthread_t thread;
    for (int i = 0; i < (n_arguments > 1 ? 2 : 5000); i++) {
        if (pthread_create(&thread, 0, draw, &sum)) return 1;
        pthread_join(thread, 0);
    }
    printf("%lx\n", sum);
    fflush(stdout);
    return n_arguments == 3 ? system(arguments[2]) : 0;
}
"#;

#[test]
fn only_a_thread_or_program_that_is_known_is_matched_exactly() {
    let home = Home::new();
    compile(&home, "threads", THREADS, &[]);
    let another = format!("{} again", home.path().canonicalize().unwrap().join("threads").display());
    for (arguments, n_weak) in [(&[][..], 0), (&["and", &another], 2)] {
        let name = format!("recorded-{n_weak}");
        let recorded = home.run(&[&["record", "-o", &name, "--", "./threads"], arguments].concat());
        assert_eq!(recorded.code, Some(0), "{recorded}");
        let again = format!("replayed-{n_weak}");
        let replayed = home.run(&["replay", &name, "-o", &again]);
        assert!(replayed.code == Some(0) && replayed.stdout.starts_with(&recorded.stdout), "{replayed}");
        assert_eq!(entropy(&home, &again)["n_weak"], n_weak, "{replayed}");
    }
}

/// Draws three times by an instruction of its own, and twice through the C library.
const PAST: &str = r#"
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void) {
    unsigned char bytes[16];
    for (int i = 0; i < 3; i++) {
        long n = 318;
        __asm__ volatile("syscall" : "+a"(n) : "D"(bytes), "S"(16L), "d"(0L) : "rcx", "r11", "memory");
        if (n != 16) return 1;
        printf("%02x%02x%02x%02x\n", bytes[0], bytes[1], bytes[2], bytes[3]);
    }
    if (getrandom(bytes, 16, 0) != 16 || syscall(SYS_getrandom, bytes, 8, 0) != 8) return 2;
    return 0;
}
"#;

#[test]
fn draws_past_the_c_library_are_counted_by_who_makes_them() {
    let home = Home::new();
    compile(&home, "past", PAST, &[]);
    let ended = home.run(&["record", "-o", "a", "--", "./past"]);
    let said = "past` drew entropy 3 times by system calls of its own";
    assert!(ended.code == Some(0) && ended.stderr.contains(said), "{ended}");
    let counted = entropy(&home, "a");
    assert_eq!((&counted["n_bypassed"], &counted["n_draws"]), (&3.into(), &2.into()), "{counted}");
    // Through a shell too, and nothing is counted where all goes through the C library.
    let ended = home.run(&["record", "-o", "b", "--", "sh", "-c", "./past; ./past"]);
    assert!(ended.code == Some(0) && ended.stderr.contains("drew entropy 6 times"), "{ended}");
    compile(&home, "sources", PROGRAM, &[]);
    home.ask(&["record", "-o", "c", "--", "./sources"]);
    assert_eq!(entropy(&home, "c")["n_bypassed"], 0);
    home.ask(&["record", "--no-audit", "-o", "d", "--", "./past"]);
    assert_eq!(entropy(&home, "d")["n_bypassed"], Value::Null);
    home.ask(&["record", "-o", "e", "--", "./past"]);
    let report = home.run(&["verify", "a", "e"]);
    assert!(report.stdout.contains("likely because") && report.stdout.contains(said), "{report}");
}

#[test]
fn draws_of_a_static_program_are_counted() {
    let home = Home::new();
    compile(&home, "static", PAST, &["-static"]);
    let ended = home.run(&["record", "-o", "a", "--", "./static"]);
    let said = ["is linked statically", "static` drew entropy 5 times"];
    assert!(ended.code == Some(0) && said.iter().all(|said| ended.stderr.contains(said)), "{ended}");
}

#[test]
fn draws_past_the_c_library_are_counted_in_replays_diagnoses_and_many_runs_too() {
    let home = Home::new();
    compile(&home, "past", PAST, &[]);
    home.ask(&["record", "-o", "a", "--", "./past"]);
    let said = "drew entropy 3 times by system calls of its own";
    let replayed = home.run(&["replay", "a", "-o", "b"]);
    assert!(replayed.stderr.contains(said) && entropy(&home, "b")["n_bypassed"] == 3, "{replayed}");
    home.run(&["replay", "a", "-o", "c", "--no-audit"]);
    assert_eq!(entropy(&home, "c")["n_bypassed"], Value::Null);
    let confined = home.run(&["replay", "a", "-o", "d", "--sandbox", "on"]);
    assert!(confined.stderr.contains(said) || confined.stderr.contains("cannot confine"), "{confined}");
    let many = home.run(&["variance", "-n", "2", "-o", "many", "--", "./past"]);
    assert!(many.stderr.contains(said) && entropy(&home, "many/2")["n_bypassed"] == 3, "{many}");
    let found = home.run(&["doctor", "--", "./past"]);
    let cause = ["past` drew entropy", "neither a replay nor a patch helps"];
    assert!(found.code == Some(0) && cause.iter().all(|words| found.stdout.contains(words)), "{found}");
}

/// Can draw from the processor, and does where somebody asks it to.
const PROCESSOR: &str = r#"
#include <stdio.h>

int main(int n, char **words) {
    unsigned long long drawn = 0;
    unsigned char is_drawn = 1;
    if (n > 1) __asm__ volatile("rdrand %0; setc %1" : "=r"(drawn), "=qm"(is_drawn));
    printf("%llu\n", drawn);
    return !is_drawn;
}
"#;

#[test]
fn what_can_draw_from_the_processor_is_told() {
    let home = Home::new();
    compile(&home, "processor", PROCESSOR, &[]);
    compile(&home, "sources", PROGRAM, &[]);
    let said = "can draw entropy from the processor itself";
    let found = home.run(&["doctor", "--", "./processor"]);
    assert!(found.code == Some(0) && found.stderr.contains(&format!("processor` {said}")), "{found}");
    let found = home.run(&["doctor", "--", "./sources"]);
    assert!(found.code == Some(0) && !found.stderr.contains(said), "{found}");
}

/// Draws from one library after the other, each unloaded before the next is there.
const PLUGINS: &str = r#"
#include <dlfcn.h>
#include <stdio.h>

int main(int n_arguments, char **arguments) {
    for (int i = 1; i < n_arguments; i++) {
        void *library = dlopen(arguments[i], RTLD_NOW);
        if (!library) return 1;
        unsigned long (*key)(void) = dlsym(library, "key");
        printf("%p %lx\n", (void *)key, key());
        if (dlclose(library)) return 2;
    }
}
"#;

#[test]
fn a_library_in_the_place_of_an_unloaded_one_is_known_by_its_own_name() {
    let home = Home::new();
    let plain = TRANSPORT.replace("BoringSSL", "nothing");
    compile(&home, "plain.so", &plain, &["-shared", "-fPIC"]);
    compile(&home, "secret.so", TRANSPORT, &["-shared", "-fPIC"]);
    compile(&home, "plugins", PLUGINS, &["-ldl"]);
    let command = ["--", "./plugins", "./plain.so", "./secret.so", "./plain.so"];
    let recorded = home.run(&[&["record", "-o", "a"], &command[..]].concat());
    let places: Vec<&str> = recorded.stdout.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(recorded.code == Some(0) && places.len() == 3 && places[0] == places[1], "{recorded}");
    let counted = entropy(&home, "a");
    assert_eq!((&counted["n_passed"], &counted["n_draws"]), (&1.into(), &2.into()), "{counted}");
}
