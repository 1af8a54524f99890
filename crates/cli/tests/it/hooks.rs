//! The hooks in Python: metrics without a change to the code, and what a user put on the same path is kept.

use serde_json::Value;

use crate::reenact::Home;
use crate::reproducing::python;

fn record(home: &Home, arguments: &[&str]) -> Value {
    home.ask(&[&["record", "-o", "a", "--", &python()], arguments].concat());
    serde_json::from_slice(&std::fs::read(home.path().join("a/capsule.json")).unwrap()).unwrap()
}

fn series(record: &Value, name: &str) -> Vec<f64> {
    let values =
        record["metrics"][name].as_array().unwrap_or_else(|| panic!("no `{name}`: {}", record["metrics"]));
    values.iter().map(|value| value.as_f64().unwrap()).collect()
}

#[test]
fn the_losses_of_scikit_learn_are_taken_to_the_last_digit() {
    let home = Home::new().with("OMP_NUM_THREADS", "1");
    home.write(
        "t.py",
        "import warnings; warnings.simplefilter('ignore')\n\
         from sklearn.datasets import load_iris\nfrom sklearn.neural_network import MLPClassifier\n\
         from sklearn.ensemble import GradientBoostingClassifier\n\
         X, y = load_iris(return_X_y=True)\nm = MLPClassifier((4,), max_iter=3).fit(X, y)\n\
         for _ in range(2): m.partial_fit(X, y)\n\
         print(repr(m.loss_curve_))\nb = GradientBoostingClassifier(n_estimators=2).fit(X, y)\n",
    );
    let record = record(&home, &["t.py"]);
    let printed = std::fs::read_to_string(home.path().join("a/stdout.txt")).unwrap();
    let printed: Vec<f64> = printed
        .trim()
        .trim_matches(['[', ']'])
        .split(", ")
        .map(|value| value.trim_start_matches("np.float64(").trim_end_matches(')').parse().unwrap())
        .collect();
    assert_eq!(series(&record, "loss"), printed);
    assert_eq!((printed.len(), series(&record, "train_score").len()), (5, 2));
}

#[test]
fn what_boosting_evaluates_is_taken_and_nothing_more() {
    let home = Home::new().with("OMP_NUM_THREADS", "1");
    home.write(
        "t.py",
        "from sklearn.datasets import load_diabetes\nimport lightgbm, xgboost\n\
         X, y = load_diabetes(return_X_y=True)\n\
         x = xgboost.XGBRegressor(n_estimators=3, n_jobs=1)\n\
         x.fit(X, y, eval_set=[(X, y)], verbose=False)\n\
         l = lightgbm.LGBMRegressor(n_estimators=4, verbose=-1, n_jobs=1).fit(X, y, eval_set=[(X, y)])\n\
         xgboost.XGBRegressor(n_estimators=3, n_jobs=1).fit(X, y)\n\
         print(x.evals_result()['validation_0']['rmse'][-1], sep='')\n",
    );
    let record = record(&home, &["t.py"]);
    let rmse = series(&record, "validation_0_rmse");
    let printed = std::fs::read_to_string(home.path().join("a/stdout.txt")).unwrap();
    assert_eq!((rmse.len(), rmse[2]), (3, printed.trim().parse().unwrap()));
    let others: Vec<&String> = record["metrics"].as_object().unwrap().keys().collect();
    assert!(others.len() == 2 && record["metrics"][others[0]].as_array().unwrap().len() == 4, "{others:?}");
}

#[test]
fn a_pattern_wins_over_what_was_hooked() {
    let home = Home::new();
    home.write("t.py", "import os, json\nopen(os.environ['REENACT_RUN_LINES'], 'a').write(\n json.dumps({'process': 'r', 'metric': 'loss', 'value': '2.5'}) + '\\n')\nprint('loss=1.5')\n");
    let ask = |name: &str, pattern: &[&str]| {
        home.ask(&[&["record", "-o", name], pattern, &["--", &python(), "t.py"]].concat());
        let text = std::fs::read(home.path().join(name).join("capsule.json")).unwrap();
        series(&serde_json::from_slice(&text).unwrap(), "loss")
    };
    assert_eq!(ask("hooked", &[]), [2.5]);
    assert_eq!(ask("asked", &["--metric-pattern", "(?P<loss>1\\S+)"]), [1.5]);
}

#[test]
fn the_users_own_sitecustomize_and_path_are_kept() {
    let home = Home::new();
    home.write("own/sitecustomize.py", "import builtins\nbuiltins.mine = 'kept'\n");
    home.write("own/module.py", "name = 'found'\n");
    home.write(
        "t.py",
        "import os, sys, sitecustomize, module\n\
         print(mine, module.name, os.path.relpath(sitecustomize.__file__))\n\
         print(any(p.endswith('hooks') for p in sys.path), sys.path[-1].endswith('lib'))\n",
    );
    let own = home.path().join("own");
    let home = home.with("PYTHONPATH", own.to_str().unwrap());
    let record = record(&home, &["t.py"]);
    let said = std::fs::read_to_string(home.path().join("a/stdout.txt")).unwrap();
    assert!(said.starts_with("kept found own/sitecustomize.py\n"), "{said}");
    assert!(said.ends_with("False True\n"), "{said}");
    assert_eq!(record["variables"]["PYTHONPATH"], own.to_str().unwrap());
    assert_eq!(home.run(&["replay", "a", "-o", "b"]).code, Some(0));
}

#[test]
fn a_python_that_leaves_the_hooks_out_is_told_of() {
    let home = Home::new();
    home.write("t.py", "print('out')\n");
    let ended = home.run(&["record", "-o", "a", "--", &python(), "-I", "t.py"]);
    assert!(ended.code == Some(0) && ended.stderr.contains("started with `-I`"), "{ended}");
    assert!(!home.run(&["record", "-o", "b", "--", &python(), "t.py", "-I"]).stderr.contains("started with"));
}

#[test]
fn an_address_with_a_password_stays_out_of_a_capsule() {
    let home = Home::new().with("PYTHON_INDEX", "https://me:inenvironment@host/simple");
    home.write("t.py", "import os\nprint(len(os.environ['PYTHON_INDEX']))\n");
    let ended =
        home.run(&["record", "-o", "a", "--", &python(), "t.py", "--db", "postgres://me:incommand@host/db"]);
    assert!(
        ended.code == Some(0) && ended.stdout == "36\n" && ended.stderr.contains("look like secrets"),
        "{ended}"
    );
    let text = std::fs::read_to_string(home.path().join("a/capsule.json")).unwrap();
    assert!(!text.contains("inenvironment") && !text.contains("incommand"), "{text}");
}
