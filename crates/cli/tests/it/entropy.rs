//! Every way in which a program of C draws entropy, recorded and given again: a program that uses each of them.

use std::process::Command;

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
    home.write("sources.c", PROGRAM);
    let mut compiler = Command::new("cc");
    compiler.args(["-O1", "-w", "-pthread", "-o", "sources", "sources.c"]).current_dir(home.path());
    assert!(compiler.status().unwrap().success());

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
