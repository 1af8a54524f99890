//! What is known of the globals that a pickle may name: harmless, dangerous, or nothing.
//!
//! Knows names only. Invariants: a name is harmless only if it stands on a list here, exactly or as a class of
//! a listed package; a name with a dot in it never is, because the loader follows the dots to anything a
//! module happens to hold; a module's functions never are unless listed one by one.

use spec::facts::DangerLevel;

/// What is known of a global.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Harmless,
    Harm(DangerLevel, &'static str),
}

const COMMANDS: &str = "it can run commands and change files";
const CODE: &str = "it runs code that the file brings along";
const IMPORTS: &str = "it imports any module by name";
const FILES: &str = "it opens or changes files";
const NETWORK: &str = "it reaches the network";
const UNPICKLES: &str = "it unpickles further bytes, which can run anything";
const ATTRIBUTES: &str = "it reaches any attribute or variable, and so any function";
const DOTS: &str = "its name leads through other objects to something else";
const UNLISTED: &str = "it is not on the list of what is known to be harmless";

/// Judges a global by its module and name.
pub(crate) fn judge(module: &str, name: &str) -> Verdict {
    let (module, name) = modern(module, name);
    if is_listed(module, name) {
        return Verdict::Harmless;
    }
    let dangerous = |reason| Verdict::Harm(DangerLevel::Dangerous, reason);
    if let Some(reason) = danger(module, name) {
        return dangerous(reason);
    }
    if name.contains('.') {
        // `sklearn.base.warnings.sys.modules`: judged by where it passes through.
        let suspect = |part: &str| {
            part.starts_with("__") || danger(part, "").is_some() || danger("builtins", part).is_some()
        };
        return match name.split('.').any(suspect) {
            true => dangerous(DOTS),
            false => Verdict::Harm(DangerLevel::Unknown, DOTS),
        };
    }
    let is_plain = is_class(name) && is_class_package(module);
    match is_plain || is_reconstructor(module, name) || is_torch_plain(module, name) {
        true => Verdict::Harmless,
        false => Verdict::Harm(DangerLevel::Unknown, UNLISTED),
    }
}

/// Names that Python 3 translates when it reads old protocols.
fn modern<'a>(module: &'a str, name: &'a str) -> (&'a str, &'a str) {
    let module = match module {
        "__builtin__" | "exceptions" => "builtins",
        "copy_reg" => "copyreg",
        "cPickle" => "pickle",
        "UserDict" | "UserList" | "UserString" => "collections",
        _ => module,
    };
    let name = match (module, name) {
        ("builtins", "xrange") => "range",
        ("builtins", "unicode") => "str",
        ("builtins", "long") => "int",
        _ => name,
    };
    (module, name)
}

fn danger(module: &str, name: &str) -> Option<&'static str> {
    let whole = |list: &[&str]| list.iter().any(|known| is_inside(module, known));
    if whole(COMMAND_MODULES) {
        return Some(COMMANDS);
    }
    if whole(CODE_MODULES) {
        return Some(CODE);
    }
    if whole(IMPORT_MODULES) {
        return Some(IMPORTS);
    }
    if whole(FILE_MODULES) {
        return Some(FILES);
    }
    if whole(NETWORK_MODULES) {
        return Some(NETWORK);
    }
    if whole(PICKLE_MODULES) {
        return Some(UNPICKLES);
    }
    let first = name.split('.').next().unwrap_or(name);
    DANGEROUS
        .iter()
        .find(|(known, names, _)| *known == module && names.contains(&first))
        .map(|(_, _, reason)| *reason)
}

const COMMAND_MODULES: &[&str] = &[
    "os",
    "posix",
    "nt",
    "subprocess",
    "_posixsubprocess",
    "commands",
    "popen2",
    "pty",
    "sys",
    "shutil",
    "ctypes",
    "_ctypes",
    "cffi",
    "multiprocessing",
    "concurrent",
    "signal",
    "_winapi",
    "msvcrt",
    "winreg",
    "pip",
    "ensurepip",
    "venv",
    "setuptools",
    "distutils",
    "numpy.distutils",
    "numpy.f2py",
    "torch.utils.cpp_extension",
    "platform",
    "torch.multiprocessing",
    "torch.distributed",
    "sklearn.datasets",
    "pexpect",
    "sh",
    "paramiko",
    "fabric",
];

const CODE_MODULES: &[&str] = &[
    "code",
    "codeop",
    "bdb",
    "pdb",
    "timeit",
    "cProfile",
    "profile",
    "trace",
    "doctest",
    "unittest",
    "idlelib",
    "lib2to3",
    "types",
    "marshal",
    "_testcapi",
    "numpy.testing",
    "sched",
    "threading",
    "_thread",
    "asyncio",
    "sympy",
    "numexpr",
    "torch._dynamo",
    "torch._inductor",
    "torch.fx",
    "torch.jit",
    "pandas.core.computation",
    "cloudpickle",
    "dill",
    "gc",
    "inspect",
    "ast",
    "atexit",
    "antigravity",
    "test",
    "site",
    "keras.src.legacy",
];

const IMPORT_MODULES: &[&str] =
    &["importlib", "_frozen_importlib", "_imp", "imp", "runpy", "pkgutil", "zipimport", "pydoc"];

const FILE_MODULES: &[&str] = &[
    "io",
    "_io",
    "tempfile",
    "fileinput",
    "linecache",
    "tarfile",
    "zipfile",
    "mmap",
    "fcntl",
    "sqlite3",
    "_sqlite3",
    "dbm",
    "pandas.io",
    "logging.config",
    "logging.handlers",
    "glob",
];

const NETWORK_MODULES: &[&str] = &[
    "socket",
    "_socket",
    "ssl",
    "select",
    "urllib",
    "urllib2",
    "urllib3",
    "requests",
    "httplib",
    "http",
    "httpx",
    "aiohttp",
    "ftplib",
    "smtplib",
    "poplib",
    "imaplib",
    "telnetlib",
    "nntplib",
    "xmlrpc",
    "xmlrpclib",
    "webbrowser",
    "socketserver",
    "SocketServer",
    "torch.hub",
    "boto3",
    "huggingface_hub",
];

const PICKLE_MODULES: &[&str] = &["pickle", "_pickle", "shelve", "jsonpickle", "yaml"];

const DANGEROUS: &[(&str, &[&str], &str)] = &[
    ("builtins", &["eval", "exec", "compile", "execfile", "apply", "breakpoint", "input"], CODE),
    ("builtins", &["__import__"], IMPORTS),
    ("builtins", &["open", "file"], FILES),
    (
        "builtins",
        &[
            "getattr",
            "setattr",
            "delattr",
            "hasattr",
            "globals",
            "locals",
            "vars",
            "__build_class__",
            "__dict__",
        ],
        ATTRIBUTES,
    ),
    ("builtins", &["map", "filter"], CODE),
    ("operator", &["attrgetter", "methodcaller"], ATTRIBUTES),
    ("_operator", &["attrgetter", "methodcaller"], ATTRIBUTES),
    ("functools", &["reduce", "partialmethod"], CODE),
    (
        "numpy",
        &["load", "loads", "fromfile", "memmap", "save", "savez", "savetxt", "genfromtxt", "loadtxt"],
        FILES,
    ),
    ("numpy", &["vectorize", "frompyfunc", "fromfunction", "apply_along_axis", "apply_over_axes"], CODE),
    ("numpy.lib.npyio", &["load", "save", "savez", "savetxt", "genfromtxt", "loadtxt", "NpzFile"], FILES),
    (
        "numpy.lib._npyio_impl",
        &["load", "save", "savez", "savetxt", "genfromtxt", "loadtxt", "NpzFile"],
        FILES,
    ),
    ("numpy.lib.format", &["read_array", "open_memmap"], UNPICKLES),
    ("numpy.core", &["_ufunc_reconstruct"], IMPORTS),
    ("numpy._core", &["_ufunc_reconstruct"], IMPORTS),
    ("numpy.ctypeslib", &["load_library"], COMMANDS),
    ("joblib", &["load", "Parallel"], UNPICKLES),
    ("joblib.numpy_pickle", &["load", "load_temporary_memmap", "_unpickle"], UNPICKLES),
    ("joblib.numpy_pickle_compat", &["load_compatibility"], UNPICKLES),
    ("torch", &["load", "compile"], UNPICKLES),
    ("torch.serialization", &["load", "_load", "_legacy_load"], UNPICKLES),
    ("pandas", &["read_pickle", "eval", "read_csv", "read_json", "read_sql", "read_html"], FILES),
    ("keras.utils", &["get_file"], NETWORK),
    ("keras.src.utils.file_utils", &["get_file"], NETWORK),
    ("scipy.io", &["loadmat", "savemat"], FILES),
    ("copyreg", &["add_extension", "pickle", "constructor"], ATTRIBUTES),
];

fn is_listed(module: &str, name: &str) -> bool {
    HARMLESS.iter().any(|(known, names)| *known == module && names.contains(&name))
}

const HARMLESS: &[(&str, &[&str])] = &[
    (
        "builtins",
        &[
            "bool",
            "bytearray",
            "bytes",
            "complex",
            "dict",
            "float",
            "frozenset",
            "int",
            "list",
            "object",
            "range",
            "set",
            "slice",
            "str",
            "tuple",
            "Ellipsis",
            "NotImplemented",
            "Exception",
            "ValueError",
            "KeyError",
        ],
    ),
    ("copyreg", &["_reconstructor", "__newobj__", "__newobj_ex__"]),
    ("_codecs", &["encode"]),
    ("collections", &["OrderedDict", "defaultdict", "Counter", "deque", "UserDict", "UserList"]),
    ("datetime", &["date", "datetime", "time", "timedelta", "timezone"]),
    ("decimal", &["Decimal"]),
    ("fractions", &["Fraction"]),
    ("uuid", &["UUID"]),
    ("pathlib", &["PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath", "Path"]),
    ("pathlib._local", &["PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath", "Path"]),
    ("operator", &["itemgetter"]),
    ("_operator", &["itemgetter"]),
    (
        "numpy",
        &[
            "ndarray",
            "dtype",
            "matrix",
            "bool",
            "bool_",
            "int8",
            "int16",
            "int32",
            "int64",
            "uint8",
            "uint16",
            "uint32",
            "uint64",
            "float16",
            "float32",
            "float64",
            "longdouble",
            "complex64",
            "complex128",
            "str_",
            "bytes_",
            "object_",
            "void",
            "intp",
            "uintp",
            "datetime64",
            "timedelta64",
            "float_",
            "int_",
            "nan",
            "inf",
            "mean",
            "median",
            "min",
            "max",
            "sum",
            "log",
            "log1p",
            "log2",
            "log10",
            "exp",
            "expm1",
            "sqrt",
            "square",
            "abs",
            "absolute",
            "sign",
        ],
    ),
    ("numpy.random._pickle", &["__randomstate_ctor", "__bit_generator_ctor", "__generator_ctor"]),
    ("numpy.random._mt19937", &["MT19937"]),
    ("numpy.random._pcg64", &["PCG64", "PCG64DXSM"]),
    ("numpy.random.mtrand", &["RandomState"]),
    ("numpy.random.bit_generator", &["SeedSequence", "__pyx_unpickle_SeedSequence"]),
    (
        "torch.jit._pickle",
        &["build_intlist", "build_tensorlist", "build_doublelist", "build_boollist", "restore_type_tag"],
    ),
    ("numpy.ma.core", &["MaskedArray", "_mareconstruct"]),
    ("numpy.ma", &["MaskedArray"]),
    ("numpy.matrixlib.defmatrix", &["matrix"]),
    ("joblib.numpy_pickle", &["NumpyArrayWrapper"]),
    ("scipy.interpolate._interpolate", &["interp1d", "PPoly", "BPoly"]),
    ("scipy.interpolate._bsplines", &["BSpline"]),
    ("scipy.interpolate.interpolate", &["interp1d", "PPoly", "BPoly"]),
    ("scipy.interpolate", &["interp1d", "BSpline", "PPoly"]),
    ("scipy.special._ufuncs", &["expit", "logit", "gammaln"]),
    ("scipy.spatial._ckdtree", &["cKDTree"]),
    ("scipy.spatial._kdtree", &["KDTree"]),
    ("catboost.core", &["CatBoost", "CatBoostClassifier", "CatBoostRegressor", "CatBoostRanker"]),
    ("_catboost", &["_CatBoost"]),
    ("lightgbm.basic", &["Booster"]),
    (
        "lightgbm.sklearn",
        &["LGBMModel", "LGBMClassifier", "LGBMRegressor", "LGBMRanker", "_LGBMLabelEncoder"],
    ),
    ("xgboost.core", &["Booster", "DataSplitMode"]),
    (
        "xgboost.sklearn",
        &["XGBModel", "XGBClassifier", "XGBRegressor", "XGBRanker", "XGBRFClassifier", "XGBRFRegressor"],
    ),
];

/// Packages whose classes keep what they are given when they are made, and do no more.
const CLASS_PACKAGES: &[&str] = &[
    "sklearn._loss",
    "sklearn.base",
    "sklearn.calibration",
    "sklearn.cluster",
    "sklearn.compose",
    "sklearn.covariance",
    "sklearn.cross_decomposition",
    "sklearn.decomposition",
    "sklearn.discriminant_analysis",
    "sklearn.dummy",
    "sklearn.ensemble",
    "sklearn.feature_extraction",
    "sklearn.feature_selection",
    "sklearn.frozen",
    "sklearn.gaussian_process",
    "sklearn.impute",
    "sklearn.isotonic",
    "sklearn.kernel_approximation",
    "sklearn.kernel_ridge",
    "sklearn.linear_model",
    "sklearn.manifold",
    "sklearn.metrics",
    "sklearn.mixture",
    "sklearn.model_selection",
    "sklearn.multiclass",
    "sklearn.multioutput",
    "sklearn.naive_bayes",
    "sklearn.neighbors",
    "sklearn.neural_network",
    "sklearn.pipeline",
    "sklearn.preprocessing",
    "sklearn.random_projection",
    "sklearn.semi_supervised",
    "sklearn.svm",
    "sklearn.tree",
    "sklearn.utils._bunch",
    "sklearn.utils._random",
    "sklearn.utils.validation",
    "sklearn.utils._metadata_requests",
    "torch.nn.modules",
    "torch.nn.parameter",
    "torch.optim",
    "torch.ao.nn",
    "torch.ao.quantization",
];

/// Whether the module is one of these packages or inside of one.
fn is_class_package(module: &str) -> bool {
    let inside = |package: &&str| {
        module.strip_prefix(*package).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    CLASS_PACKAGES.iter().any(|package| inside(&package)) || is_scipy_sparse(module)
}

/// Whether a module is this package or inside of it.
fn is_inside(module: &str, package: &str) -> bool {
    module.strip_prefix(package).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn is_scipy_sparse(module: &str) -> bool {
    module == "scipy.sparse" || module.starts_with("scipy.sparse._")
}

/// A name as classes have it: `RandomForestClassifier`, `_BinMapper`. Functions and modules are lower case.
fn is_class(name: &str) -> bool {
    let first = name.trim_start_matches('_').chars().next();
    first.is_some_and(|letter| letter.is_ascii_uppercase())
}

/// Functions that put numbers back into an object of a fixed class.
fn is_reconstructor(module: &str, name: &str) -> bool {
    const SPARSE: &[&str] = &["csr", "csc", "coo", "bsr", "dia", "dok", "lil"];
    let numpy = match module {
        "numpy.core.multiarray" | "numpy._core.multiarray" => matches!(name, "_reconstruct" | "scalar"),
        "numpy.core.numeric" | "numpy._core.numeric" => name == "_frombuffer",
        "numpy.dtypes" => name.ends_with("DType"),
        _ => false,
    };
    let sparse = is_scipy_sparse(module)
        && name
            .split_once('_')
            .is_some_and(|(kind, rest)| SPARSE.contains(&kind) && matches!(rest, "matrix" | "array"));
    let cython = module.starts_with("sklearn.")
        && is_class_package(module)
        && (name.starts_with("__pyx_unpickle_") || name == "newObj");
    numpy || sparse || cython
}

/// Storages, types and functions that put a tensor back together.
fn is_torch_plain(module: &str, name: &str) -> bool {
    const DTYPES: &[&str] = &[
        "float16",
        "float32",
        "float64",
        "bfloat16",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "bool",
        "complex64",
        "complex128",
        "qint8",
        "quint8",
        "qint32",
        "float8_e4m3fn",
        "float8_e5m2",
    ];
    match module {
        "torch" => {
            matches!(name, "Size" | "device" | "Tensor")
                || DTYPES.contains(&name)
                || name.ends_with("Storage")
        }
        "torch.storage" => {
            matches!(name, "TypedStorage" | "UntypedStorage" | "_TypedStorage" | "_UntypedStorage")
        }
        "torch._utils" => matches!(
            name,
            "_rebuild_tensor"
                | "_rebuild_tensor_v2"
                | "_rebuild_tensor_v3"
                | "_rebuild_parameter"
                | "_rebuild_parameter_with_state"
                | "_rebuild_qtensor"
                | "_rebuild_sparse_tensor"
                | "_rebuild_device_tensor_from_numpy"
                | "_rebuild_meta_tensor_no_storage"
        ),
        "torch._tensor" => name == "_rebuild_from_type_v2",
        "torch.serialization" => name == "_get_layout",
        "torch.nn" | "torch.nn.utils" => is_class(name),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(module: &str, name: &str) -> Option<DangerLevel> {
        match judge(module, name) {
            Verdict::Harmless => None,
            Verdict::Harm(level, _) => Some(level),
        }
    }

    #[test]
    fn a_class_of_a_known_package_is_harmless_and_a_function_of_it_is_not() {
        assert_eq!(level("sklearn.ensemble._forest", "RandomForestClassifier"), None);
        assert_eq!(level("sklearn.tree._tree", "Tree"), None);
        assert_eq!(level("sklearn.base", "clone"), Some(DangerLevel::Unknown));
        assert_eq!(level("sklearn.base", "warnings"), Some(DangerLevel::Unknown));
        assert_eq!(level("sklearnx.base", "Evil"), Some(DangerLevel::Unknown));
        assert_eq!(level("sklearn.datasets._openml", "fetch_openml"), Some(DangerLevel::Dangerous));
    }

    #[test]
    fn known_ways_to_run_code_are_dangerous_under_old_and_new_names() {
        let ways = [
            ("os", "system"),
            ("posix", "system"),
            ("nt", "system"),
            ("builtins", "eval"),
            ("__builtin__", "eval"),
            ("subprocess", "Popen"),
            ("importlib", "import_module"),
            ("runpy", "_run_code"),
            ("pty", "spawn"),
            ("numpy.testing._private.utils", "runstring"),
            ("torch.hub", "load"),
            ("cPickle", "loads"),
            ("numpy.core", "_ufunc_reconstruct"),
            ("urllib.request", "urlopen"),
            ("operator", "attrgetter"),
            ("builtins", "eval.__call__"),
            ("dill._dill", "_create_function"),
            ("timeit", "timeit"),
        ];
        for (module, name) in ways {
            assert_eq!(level(module, name), Some(DangerLevel::Dangerous), "{module}.{name}");
        }
    }

    #[test]
    fn a_name_with_dots_is_never_harmless() {
        assert_eq!(level("sklearn.base", "warnings.sys.modules"), Some(DangerLevel::Dangerous));
        assert_eq!(level("sklearn.base", "BaseEstimator.__init__"), Some(DangerLevel::Dangerous));
        assert_eq!(level("sklearn.base", "BaseEstimator.fit"), Some(DangerLevel::Unknown));
    }
}
