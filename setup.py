import runpy
from pathlib import Path

from setuptools import Extension, find_packages, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext

here = Path(__file__).resolve().parent
project = runpy.run_path(str(here / 'centerloss_mx' / '_compat.py'))
examples = ['matplotlib>=3.5,<4', 'pillow>=10.4,<14', 'scikit-learn>=1.3,<2', 'tqdm>=4.60,<5']
tensorboard = ['tensorboardX>=2.6,<3']
html = ['bokeh>=3.8,<4']  # Python 3.10 or newer; before 3.8, tooltips took names for HTML
onnx = ['onnx>=1.16,<1.17', 'onnxruntime>=1.18,<1.19']

kernel = Extension(
    'centerloss_mx.operator._kernel',
    ['centerloss_mx/operator/kernel.c'],
    depends=['centerloss_mx/operator/kernel_rows.h'],
    # The arithmetic must not be reordered or contracted: results repeat bit for bit on every processor.
    extra_compile_args=['-std=c11', '-O3', '-ffp-contract=off', '-fvisibility=hidden', '-pthread'],
    extra_link_args=['-pthread'],
    optional=True,  # without a C compiler, the operator runs in NumPy
)


class SharedLibrary(build_ext):
    """The kernel is no module of Python: the same file serves every version."""

    def get_ext_filename(self, fullname):
        return f'{fullname.replace(".", "/")}.so'


class PlatformWheel(bdist_wheel):
    """The wheel serves every Python 3, on one platform."""

    def get_tag(self):
        return 'py3', 'none', super().get_tag()[2]


setup(
    name='centerloss_mx',
    version=project['VERSION'],
    description='Center loss (Wen et al., ECCV 2016) for Apache MXNet 1.9',
    long_description=(here / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    author='The centerloss_mx developers',
    ext_modules=[kernel],
    cmdclass={'build_ext': SharedLibrary, 'bdist_wheel': PlatformWheel},
    packages=find_packages(include=['centerloss_mx', 'centerloss_mx.*']),
    package_data={'centerloss_mx': ['py.typed', 'data/*']},
    entry_points={'console_scripts': ['centerloss-mx = centerloss_mx.cli:main']},
    python_requires=project['PYTHON'],
    install_requires=[
        'mxnet' + project['MXNET'],
        'numpy' + project['NUMPY'],
        'setuptools; python_version >= "3.12"',  # brings distutils, which MXNet imports
    ],
    extras_require={
        'examples': examples,
        'html': [*examples, *html],
        'onnx': onnx,
        'tensorboard': tensorboard,
        'bench': ['torch>=2.13,<3'],  # rivals of the operator; benchmarks run without them, too
        # Python 3.8 is tested with a NumPy that is too old for them
        'test': [
            'hypothesis>=6.113,<7',
            'pytest>=7.4,<10',
            'pytest-xdist>=3.3,<4',
            *examples,
            *(f'{one}; python_version >= "3.10"' for one in html),
            'selenium>=4.27,<5; python_version >= "3.10"',  # opens pages in Chromium, if that is installed
            *tensorboard,
            'tensorboard>=2.14,<3',  # reads event files back
            *(f'{one}; python_version >= "3.9"' for one in onnx),
        ],
        'mutants': ['cosmic-ray>=8.7,<9'],  # Python 3.9 or newer
        'lint': ['ruff>=0.12,<1', 'mypy>=1.14,<3'],
        'docs': [  # Python 3.11 or newer; the reference needs every module to be importable
            'sphinx>=9,<10',
            'numpydoc>=1.11,<2',
            'myst-parser>=5.2,<6',
            'pydata-sphinx-theme>=0.24,<0.25',
            *examples,
            *html,
        ],
    },
    classifiers=[
        'Intended Audience :: Science/Research',
        'License :: OSI Approved :: Apache Software License',
        'Programming Language :: Python :: 3',
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
    ],
)
